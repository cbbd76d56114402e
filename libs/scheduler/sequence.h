#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libs/base/clock.h"
#include "libs/base/strong_id.h"
#include "libs/kvcache/block_table.h"
#include "libs/kvcache/prefix_cache.h"

namespace scheduler {

using SequenceId = base::StrongId<struct SequenceIdTag, std::uint64_t>;  // the engine's id of the same value

// What the engine hands over when a turn's prompt is known.
struct NewSequence {
  SequenceId id;
  std::string tenant;                // sequences of different tenants are admitted in turn
  std::vector<std::int32_t> prompt;  // token ids, at least one
  std::int32_t tokens_max = 0;       // generated tokens, at least one
  base::MonotonicTime deadline{};    // epoch: none; looked at only before the first step
};

// A sequence inside the scheduler. Private to this library; public as a file because the waiting queues share it.
struct Sequence {
  explicit Sequence(NewSequence sequence, std::int32_t block_size)
      : id(sequence.id),
        tenant(std::move(sequence.tenant)),
        tokens(std::move(sequence.prompt)),
        tokens_end(static_cast<std::int32_t>(tokens.size()) + sequence.tokens_max),
        deadline(sequence.deadline),
        blocks(block_size) {}

  std::int32_t tokens_known() const { return static_cast<std::int32_t>(tokens.size()); }
  // Those whose K/V other sequences may use: known, and computed by a step that has ended.
  std::span<const std::int32_t> tokens_settled() const {
    return std::span(tokens).first(static_cast<std::size_t>(std::min(settled, tokens_known() - tokens_expected)));
  }
  std::int32_t tokens_pending() const { return tokens_known() - computed; }
  // All that it may generate has been asked for: no more rows, only the answer to the last of them is missing.
  bool awaits_last_token() const { return tokens_known() == tokens_end; }

  const SequenceId id;
  const std::string tenant;
  std::vector<std::int32_t> tokens;  // prompt, then what was generated; a preempted sequence recomputes all of them
  const std::int32_t tokens_end;     // tokens.size() never passes this
  std::int32_t tokens_expected = 0;  // the last of `tokens` that are not known yet: negative, see ExpectToken
  const base::MonotonicTime deadline;
  kvcache::BlockTable blocks;
  kvcache::PublishedPath published;  // which of them the prefix cache has
  std::int32_t computed = 0;  // positions [0, computed) have their K/V in `blocks`, or will by the step in flight
  std::int32_t computed_before = 0;  // `computed` when the step before the last was built
  std::int32_t settled = 0;          // positions [0, settled): by a step that has ended
  std::int32_t cached = 0;           // of the prompt, found in the prefix cache when it first started
  std::int32_t planned = 0;          // rows of it in the step being run
  bool started = false;              // has been in a step
  std::uint64_t ticket = 0;          // order of first admission, from 1; kept through preemption, so age only grows
};

}  // namespace scheduler
