#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/strong_id.h"
#include "libs/kvcache/block_table.h"
#include "libs/kvcache/prefix_cache.h"

namespace scheduler {

using SequenceId = base::StrongId<struct SequenceIdTag, std::uint64_t>;  // the engine's id of the same value

inline constexpr std::int32_t kPriorities = 3;  // 0 goes first
inline constexpr std::int32_t kBranchesMax = 16;

// What the engine hands over when a turn's prompt is known.
struct NewSequence {
  SequenceId id;
  std::string tenant;                // who is charged for its tokens
  std::vector<std::int32_t> prompt;  // token ids, at least one
  std::int32_t tokens_max = 0;       // generated tokens, at least one
  base::MonotonicTime deadline{};    // epoch: none; looked at only before the first step
  std::int32_t priority = 0;         // [0, kPriorities)
  // [1, kBranchesMax]: so many answers from one prefill; branch i is the sequence id + i from the step on that samples
  // the prompt's last row. REQUIRES: the ids are the caller's to give.
  std::int32_t branches = 1;
};

struct Tenant;  // tenant_queues.h

// A sequence inside the scheduler. Private to this library; public as a file because the waiting queues share it.
struct Sequence {
  explicit Sequence(NewSequence sequence, std::int32_t block_size)
      : id(sequence.id),
        family(sequence.id),
        tenant_name(std::move(sequence.tenant)),
        tokens(std::move(sequence.prompt)),
        tokens_end(static_cast<std::int32_t>(tokens.size()) + sequence.tokens_max),
        deadline(sequence.deadline),
        priority(sequence.priority),
        branches(sequence.branches),
        rank(sequence.priority),
        blocks(block_size) {}

  // A branch of `parent`, whose blocks the caller shares with it.
  Sequence(const Sequence& parent, SequenceId branch)
      : id(branch),
        family(parent.family),
        tenant_name(parent.tenant_name),
        tokens(parent.tokens),
        tokens_end(parent.tokens_end),
        deadline(parent.deadline),
        priority(parent.priority),
        rank(parent.rank),
        steps_waited(parent.steps_waited),
        ticket(parent.ticket),
        blocks(parent.blocks.block_size()),
        computed(parent.computed),
        computed_before(parent.computed_before),
        settled(parent.settled),
        cached(parent.cached),
        charged(parent.charged),
        read(parent.read),
        started(true) {}

  std::int32_t tokens_known() const { return static_cast<std::int32_t>(tokens.size()); }
  // Those whose K/V other sequences may use: known, and computed by a step that has ended.
  std::span<const std::int32_t> tokens_settled() const {
    return std::span(tokens).first(static_cast<std::size_t>(std::min(settled, tokens_known() - tokens_expected)));
  }
  std::int32_t tokens_pending() const { return tokens_known() - computed; }
  // All that it may generate has been asked for: no more rows, only the answer to the last of them is missing.
  bool awaits_last_token() const { return tokens_known() == tokens_end; }

  const SequenceId id;
  const SequenceId family;  // of a branch, the sequence that was prefilled
  const std::string tenant_name;
  Tenant* tenant = nullptr;
  std::vector<std::int32_t> tokens;  // prompt, then what was generated; a preempted sequence recomputes all of them
  const std::int32_t tokens_end;     // tokens.size() never passes this
  std::int32_t tokens_expected = 0;  // the last of `tokens` that are not known yet: negative, see ExpectToken
  const base::MonotonicTime deadline;

  // Order
  const std::int32_t priority;
  std::int32_t branches = 1;      // still to be made of it; it takes so many of the running places
  std::int32_t rank;              // priority, raised by waiting; fixed while it runs
  std::int64_t steps_waited = 0;  // steps spent waiting or preempted, up to wait_began
  std::int64_t wait_began = 0;    // the step when it began to wait this time
  std::int64_t admitted = -1;     // the step when it was admitted last
  std::uint64_t arrival = 0;      // order of Enqueue
  std::uint64_t ticket = 0;       // order of first admission, from 1; kept through preemption, so age only grows

  // K/V
  kvcache::BlockTable blocks;
  kvcache::PublishedPath published;  // which of them the prefix cache has
  std::int32_t computed = 0;  // positions [0, computed) have their K/V in `blocks`, or will by the step in flight
  std::int32_t computed_before = 0;    // `computed` when the step before the last was built
  std::int32_t settled = 0;            // positions [0, settled): by a step that has ended
  std::int32_t cached = 0;             // of the prompt, found in the prefix cache when it first started
  std::int32_t charged = 0;            // the prompt's tokens, once it was admitted
  std::int32_t read = 0;               // positions [0, read) were in a step, or found in the cache
  std::vector<std::uint32_t> swapped;  // host slots of its blocks from swapped_first on, while it is preempted
  std::int32_t swapped_first = 0;
  std::int32_t swapped_computed = 0;  // `computed` when they were swapped out

  std::int32_t planned = 0;  // rows of it in the step being run
  bool started = false;      // has been in a step
};

// Who goes first among those that run, and who is the last to lose its blocks.
inline bool GoesBefore(const Sequence* a, const Sequence* b) {
  if (a->rank != b->rank) return a->rank < b->rank;
  return a->ticket != b->ticket ? a->ticket < b->ticket : a->id < b->id;
}

}  // namespace scheduler
