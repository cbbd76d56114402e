#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/kvcache/block_store.h"
#include "libs/kvcache/step_batch.h"
#include "libs/scheduler/sequence.h"
#include "libs/scheduler/tenant_queues.h"

namespace scheduler {

struct SchedulerOptions {
  std::int32_t blocks_total = 512;       // KV blocks in the pool
  std::int32_t block_size = 16;          // tokens in a block
  std::int32_t sequences_max = 32;       // running at once
  std::int32_t queue_max = 256;          // waiting for their first step
  std::int32_t step_tokens_max = 256;    // rows of one step, at least sequences_max: each running sequence gets a row
  std::int32_t steps_in_flight_max = 1;  // 2: a step is built before the one before has ended; see Scheduler
  // Key of the prefix cache, secret and random in a server; none: no cache.
  std::optional<kvcache::SipKey> prefix_cache = kvcache::SipKey{};
};

// One step to run. Valid until the next call of BuildStep.
struct Step {
  kvcache::StepBatch batch;
  std::vector<SequenceId> samples;  // whose logits batch.logit_rows names, in the same order
  std::vector<SequenceId> members;  // every sequence of the batch, in its order
  std::vector<SequenceId> started;  // those of `members` that are in a step for the first time
  std::int32_t prefill_tokens = 0;  // rows of chunks
  std::int32_t decode_tokens = 0;   // rows of sequences that go on by one token
};

struct SchedulerCounts {
  std::int32_t waiting = 0;          // not yet started
  std::int32_t running = 0;          // hold blocks
  std::int32_t preempted = 0;        // lost their blocks, will resume
  std::int64_t blocks_free = 0;      // held by no sequence, whether or not they hold a prefix that may be used again
  std::int64_t blocks_promised = 0;  // what waiting and preempted sequences need to start; may exceed blocks_free
  std::int64_t preemptions_total = 0;
  std::int64_t prefix_tokens_total = 0;  // prompt tokens that were found in the prefix cache
};

// Continuous batching: decides before each step which sequences get how many rows. Pure bookkeeping; the engine runs
// the step and tells the tokens.
//
//   Enqueue ... ; loop { TakeExpired; BuildStep; <run>; CompleteStep; for each sample: AppendToken or Remove }
//
// On a device the next step is built while the last one runs, before its tokens are known:
//
//   loop { BuildStep; <start>; CompleteStep; for each sample: ExpectToken;
//          <wait for the step before>; for each of its samples: ResolveToken or Remove }
//
// (steps_in_flight_max 2). What a step in flight may still read or write is safe, because the device runs steps in
// order: blocks given back are written again by later steps alone.
//
// Policy
//  - Admission: tenants in turn. A sequence is admitted when its known tokens fit the free blocks with one block spare
//    for each running sequence, so that a newcomer is not thrown out at the next block boundary. Head of line waits: a
//    large prompt is never overtaken for ever by small ones.
//  - Rows: first one row for each sequence that decodes, then prefill chunks, oldest sequence first, up to
//    step_tokens_max. Since sequences_max <= step_tokens_max, a chunk of at least one token always fits.
//  - Growth: blocks beyond the known tokens are taken one at a time. When none is free, the youngest running sequence
//  is
//    preempted: it gives its blocks back and later recomputes prompt and generated tokens (recompute, not swap: at this
//    model size it is quicker than copying). Preempted sequences resume before new ones are admitted.
//  - Prefix cache: a sequence starts behind the longest prefix of its tokens that the cache has, of the same tenant,
//  and
//    looks again before each of its chunks, so that equal prompts side by side are computed once. What it computes is
//    findable block by block as soon as the step has ended, prompt and answer alike, and stays so when it ends or is
//    preempted, until the blocks are wanted. Blocks are shared whole and full, so none is written while shared.
//  - Progress: the oldest sequence is never a victim of another, and Enqueue refuses what could not fit alone, so every
//    sequence ends.
//
// Threading: confined to the engine's loop thread; holds no lock, reads no clock.
class Scheduler {
 public:
  // InvalidArgument names the option.
  static absl::StatusOr<std::unique_ptr<Scheduler>> Create(const SchedulerOptions& options);
  ~Scheduler();

  // InvalidArgument: empty prompt, tokens_max < 1, or more tokens than the pool holds. ResourceExhausted: queue_max
  // wait already. AlreadyExists: the id is in use.
  absl::Status Enqueue(NewSequence sequence);

  // Forgets a sequence in any state and frees what it holds; for its end or cancellation. False: unknown id.
  // REQUIRES: not between BuildStep and CompleteStep.
  bool Remove(SequenceId id);

  // The same when its last step failed, or its numbers are not to be trusted: no other sequence will use them.
  bool Discard(SequenceId id);

  // Forgets and returns the waiting sequences whose deadline is at or before `now`.
  std::vector<SequenceId> TakeExpired(base::MonotonicTime now);

  // Plans the next step; an empty batch when there is nothing to do. REQUIRES: the last step's samples all got their
  // AppendToken, ExpectToken or Remove, and those of the step before it their ResolveToken or Remove.
  const Step& BuildStep();

  // The step built last was run, or started: its rows' K/V are in the blocks before any later step's rows read them.
  void CompleteStep();

  // The next token of a sequence in samples. REQUIRES: known id, fewer than tokens_max generated.
  void AppendToken(SequenceId id, std::int32_t token);

  // The same in two calls, for a token that is not known yet: sample number `sample` of the step completed last. The
  // next step names it by the token id -1 - sample. A sequence that expects its tokens_max-th token gets no more rows.
  void ExpectToken(SequenceId id, std::int32_t sample);
  void ResolveToken(SequenceId id, std::int32_t token);  // the oldest expected one. REQUIRES: known id, token >= 0

  // Tokens of its prompt that were found in the prefix cache. REQUIRES: known id, in a step already.
  std::int32_t CachedTokens(SequenceId id) const { return sequences_.at(id)->cached; }

  SchedulerCounts counts() const;
  const SchedulerOptions& options() const { return options_; }

  // Aborts when a block is lost, shared or held by a sequence that does not run.
  void CheckInvariantsForTest() const;

 private:
  explicit Scheduler(const SchedulerOptions& options);

  void Admit();
  bool TryStart(Sequence& sequence);
  void Settle(Sequence& sequence);
  void ReleaseBlocks(Sequence& sequence);
  Sequence& Known(SequenceId id);
  Sequence* NextToAdmit() const;
  bool ReserveOrPreempt(Sequence& sequence);
  void Preempt(Sequence* victim);
  void PlanRows(Sequence& sequence, std::int32_t rows);
  std::int32_t BlocksToStart(const Sequence& sequence) const;

  const SchedulerOptions options_;
  kvcache::BlockStore blocks_;
  absl::flat_hash_map<SequenceId, std::unique_ptr<Sequence>>
      sequences_;  // at most queue_max + sequences_max + preempted
  TenantQueues waiting_;
  std::vector<Sequence*> running_;    // oldest ticket first; at most sequences_max
  std::vector<Sequence*> preempted_;  // oldest ticket first
  Step step_;
  bool step_open_ = false;  // between BuildStep and CompleteStep
  std::uint64_t next_ticket_ = 1;
  std::int64_t blocks_promised_ = 0;
  std::int64_t preemptions_total_ = 0;
  std::int64_t prefix_tokens_total_ = 0;
};

}  // namespace scheduler
