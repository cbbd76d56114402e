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
  std::int32_t sequences_max = 32;       // running at once, each branch one
  std::int32_t queue_max = 256;          // waiting for their first step
  std::int32_t step_tokens_max = 256;    // rows of one step, at least sequences_max: each running sequence gets a row
  std::int32_t steps_in_flight_max = 1;  // 2: a step is built before the one before has ended; see Scheduler
  // Key of the prefix cache, secret and random in a server; none: no cache.
  std::optional<kvcache::SipKey> prefix_cache = kvcache::SipKey{};
  // Blocks that fit beside the pool, for preempted sequences; 0: they are always computed again.
  std::int32_t swap_blocks = 0;
  // What a block costs to swap out and in, in units of a token that is computed again. The default is high for any
  // model: memory moves a block in the time of a fraction of a token.
  double swap_block_cost = 1.0;
  Aging aging{};
};

// One step to run. Valid until the next call of BuildStep.
struct Step {
  kvcache::StepBatch batch;
  std::vector<SequenceId> samples;  // who gets the token of batch.logit_rows[i]
  std::vector<SequenceId> members;  // every sequence of the batch, in its order
  std::vector<SequenceId> started;  // those of `members` that are in a step for the first time
  std::vector<SequenceId> moved;    // whose blocks are swapped by the step: lost with it when it can't run
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
  std::int64_t swaps_total = 0;          // of those, the ones whose blocks were swapped out
  std::int64_t forks_total = 0;          // branches made
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
//  - Order: priority first, then the tenant with the fewest tokens served, then who came first; waiting raises the
//    priority and nobody starves (TenantQueues states the bounds). Preempted sequences of a rank resume before new ones
//    are admitted, by age. Once it runs, a sequence keeps the rank that it was admitted with.
//  - Admission: when the known tokens fit the free blocks with one block spare for each running sequence, so that a
//    newcomer is not thrown out at the next block boundary. Who is next waits for that and is not overtaken by smaller
//    ones behind it. It may take blocks and places of running sequences of lower rank, if those suffice.
//  - Prefix cache: a sequence starts behind the longest prefix of its tokens that the cache has, of the same tenant,
//    and looks again before each of its chunks, so that equal prompts side by side are computed once. What it computes
//    is findable block by block as soon as the step has ended, prompt and answer alike, and stays so when it ends or is
//    preempted, until the blocks are wanted.
//  - Rows: first one row for each sequence that decodes, then prefill chunks, up to step_tokens_max, and beside decodes
//    up to SetPrefillRowsMax. A quarter of those rows is for the oldest prompt, so that it ends in at most four times
//    its time alone; the rest goes by rank and then to the prompt with the fewest tokens left.
//  - Growth: blocks beyond the known tokens are taken one at a time. When none is free, the running sequence that goes
//    last by rank and age is preempted.
//  - Preemption: by swapping its blocks to the host and back where that costs less than computing them again, without
//    the ones that others hold and the cache will therefore give back. Either way it resumes with the same tokens.
//  - Forks: a sequence with branches takes their places from the start. The step with the prompt's last row samples it
//    once for each; then they are sequences of their own that share all blocks, and copy the last one on write.
//  - Progress: the first by rank and age is never a victim, and Enqueue refuses what could not fit alone, so every
//    sequence ends. Nothing new starts while as many are preempted as may run, so those that started are at most twice
//    as many.
//
// Files: scheduler.cpp (what comes and goes), admission.cpp, planning.cpp (rows, forks), preemption.cpp.
// Threading: confined to the engine's loop thread; holds no lock, reads no clock.
class Scheduler {
 public:
  // InvalidArgument names the option.
  static absl::StatusOr<std::unique_ptr<Scheduler>> Create(const SchedulerOptions& options);
  ~Scheduler();

  // InvalidArgument: empty prompt, tokens_max < 1, more tokens than the pool holds, a priority or branches out of
  // bounds. ResourceExhausted: queue_max wait already. AlreadyExists: the id is in use.
  absl::Status Enqueue(NewSequence sequence);

  // Forgets a sequence in any state and frees what it holds; for its end or cancellation. False: unknown id, such as
  // that of a branch before its fork.
  // REQUIRES: not between BuildStep and CompleteStep.
  bool Remove(SequenceId id);

  // The same when its last step failed, or its numbers are not to be trusted: no other sequence will use them.
  bool Discard(SequenceId id);

  // Forgets and returns the waiting sequences whose deadline is at or before `now`.
  std::vector<SequenceId> TakeExpired(base::MonotonicTime now);

  // Rows of prefill chunks in a step in which others decode, at least 1; no limit at first. What a sequence answers
  // does not depend on it.
  void SetPrefillRowsMax(std::int32_t rows) { prefill_rows_max_ = rows < 1 ? 1 : rows; }

  // Plans the next step; an empty batch when there is nothing to do. REQUIRES: the last step's samples all got their
  // AppendToken, ExpectToken or Remove, and those of the step before it their ResolveToken or Remove.
  const Step& BuildStep();

  // The step built last was run, or started: its rows' K/V are in the blocks before any later step's rows read them.
  // Its branches exist from here on.
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

  // Weighted tokens that a tenant with sequences was charged for; see TenantQueues.
  std::int64_t ServedForTest(const std::string& tenant) const { return waiting_.ServedForTest(tenant); }

  // Aborts when a block is lost, shared wrongly or held by a sequence that does not run.
  void CheckInvariantsForTest() const;

 private:
  explicit Scheduler(const SchedulerOptions& options);

  // scheduler.cpp
  Sequence& Known(SequenceId id);
  void Settle(Sequence& sequence);
  void ReleaseBlocks(Sequence& sequence);
  std::int32_t BlocksFor(std::int32_t tokens) const {
    return kvcache::BlockTable::BlocksFor(tokens, options_.block_size);
  }
  std::int32_t BlocksToStart(const Sequence& sequence) const;

  // admission.cpp
  void Admit();
  Sequence* NextToAdmit();
  bool TryStart(Sequence& sequence, std::int64_t* blocks_missing);
  bool MakeRoom(const Sequence& sequence, std::int64_t blocks_missing);
  void SwapIn(Sequence& sequence);
  std::int32_t PlacesPreempted() const;

  // planning.cpp
  void PlanDecodes();
  void PlanChunks();
  void PlanRows(Sequence& sequence, std::int32_t rows);
  static void Refund(Sequence& sequence, std::int32_t position);
  void Fork(Sequence& parent);

  // preemption.cpp
  bool ReserveOrPreempt(Sequence& sequence);
  bool TryReserveNext(Sequence& sequence);
  void Preempt(Sequence* victim);
  bool TrySwapOut(Sequence& victim);
  void DropSwapped(Sequence& sequence);

  const SchedulerOptions options_;
  kvcache::BlockStore blocks_;
  std::vector<std::uint32_t> slots_free_;  // host slots; at most swap_blocks
  std::vector<std::uint32_t> slots_read_;  // by the step being run: free when it is complete
  TenantQueues waiting_;                   // at most queue_max; with the tenants of all sequences
  // At most queue_max + 2 * sequences_max.
  absl::flat_hash_map<SequenceId, std::unique_ptr<Sequence>> sequences_;
  std::vector<Sequence*> running_;    // by GoesBefore; their places at most sequences_max
  std::vector<Sequence*> preempted_;  // by ticket; at most 2 * sequences_max
  std::vector<Sequence*> chunks_;     // of the step being built: who gets a chunk
  std::vector<Sequence*> forking_;    // of the step being run
  Step step_;
  bool step_open_ = false;         // between BuildStep and CompleteStep
  std::int32_t places_taken_ = 0;  // by running sequences, with the branches still to be made of them
  std::int32_t prefill_rows_max_;
  std::int64_t steps_ = 0;  // completed
  std::uint64_t next_ticket_ = 1;
  std::int64_t blocks_promised_ = 0;
  std::int64_t preemptions_total_ = 0;
  std::int64_t swaps_total_ = 0;
  std::int64_t forks_total_ = 0;
  std::int64_t prefix_tokens_total_ = 0;
};

}  // namespace scheduler
