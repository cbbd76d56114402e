// The rows of a step, and the branches that come of it.
#include <algorithm>
#include <utility>

#include "libs/base/check.h"
#include "libs/scheduler/scheduler.h"

namespace scheduler {

const Step& Scheduler::BuildStep() {
  CHECK(!step_open_);
  // Moves of a step without rows were not carried out: they stay for this one.
  const bool keeps_moves = step_.batch.rows() == 0;
  if (!keeps_moves) {
    step_.batch.Clear();
    step_.moved.clear();
  }
  step_.batch.ClearRows();
  step_.samples.clear();
  step_.members.clear();
  step_.started.clear();
  for (Sequence* sequence : running_) Settle(*sequence);
  Admit();
  PlanDecodes();
  step_.decode_tokens = step_.batch.rows();
  PlanChunks();
  step_.prefill_tokens = step_.batch.rows() - step_.decode_tokens;
  step_open_ = step_.batch.rows() > 0;
  return step_;
}

void Scheduler::PlanDecodes() {
  // By index, because a preemption shortens running_ behind the sequence that asked.
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    if (sequence.awaits_last_token()) continue;
    CHECK_MSG(sequence.tokens_pending() > 0, "the last step's sample got its token");
    if (sequence.tokens_pending() == 1 && ReserveOrPreempt(sequence)) PlanRows(sequence, 1);
  }
}

void Scheduler::PlanChunks() {
  constexpr std::int32_t kShareOfOldest = 4;  // one in so many rows
  chunks_.clear();
  Sequence* oldest = nullptr;
  for (Sequence* sequence : running_) {
    if (sequence->planned > 0 || sequence->awaits_last_token()) continue;
    chunks_.push_back(sequence);
    if (oldest == nullptr || sequence->ticket < oldest->ticket) oldest = sequence;
  }
  if (oldest == nullptr) return;
  std::int32_t budget = options_.step_tokens_max - step_.decode_tokens;
  if (step_.decode_tokens > 0) budget = std::min(budget, prefill_rows_max_);
  std::int32_t kept = std::min(std::max(1, budget / kShareOfOldest), oldest->tokens_pending());  // for the oldest
  std::sort(chunks_.begin(), chunks_.end(), [](const Sequence* a, const Sequence* b) {
    if (a->rank != b->rank) return a->rank < b->rank;
    return a->tokens_pending() != b->tokens_pending() ? a->tokens_pending() < b->tokens_pending() : GoesBefore(a, b);
  });
  for (Sequence* sequence : chunks_) {
    if (sequence == oldest) kept = 0;
    if (budget - kept <= 0) continue;
    sequence->computed = blocks_.Extend(sequence->tenant_name, sequence->tokens, sequence->computed, sequence->blocks);
    const std::int32_t rows = std::min(budget - kept, sequence->tokens_pending());
    PlanRows(*sequence, rows);
    budget -= rows;
  }
}

void Scheduler::PlanRows(Sequence& sequence, std::int32_t rows) {
  kvcache::StepBatch& batch = step_.batch;
  sequence.planned = rows;
  CHECK_MSG(sequence.tokens_expected <= 1, "the step before the last was answered");
  const auto first = sequence.tokens.begin() + sequence.computed;
  batch.token_ids.insert(batch.token_ids.end(), first, first + rows);
  for (std::int32_t i = 0; i < rows; ++i) batch.positions.push_back(sequence.computed + i);
  const std::int32_t positions_end = sequence.computed + rows;
  const auto blocks = sequence.blocks.blocks().first(static_cast<std::size_t>(BlocksFor(positions_end)));
  for (kvcache::BlockId block : blocks) batch.block_ids.push_back(static_cast<std::uint32_t>(block));
  batch.row_begin.push_back(batch.rows());
  batch.block_begin.push_back(static_cast<std::int32_t>(batch.block_ids.size()));
  step_.members.push_back(sequence.id);
  Refund(sequence, sequence.computed);  // found in the cache since it was admitted
  sequence.read = std::max(sequence.read, positions_end);
  if (!std::exchange(sequence.started, true)) {
    sequence.cached = sequence.computed;
    prefix_tokens_total_ += sequence.cached;
    step_.started.push_back(sequence.id);
  }
  if (positions_end != sequence.tokens_known()) return;
  constexpr std::int64_t kGeneratedWeight = 2;
  TenantQueues::Charge(sequence, kGeneratedWeight * sequence.branches);
  for (std::int32_t branch = 0; branch < sequence.branches; ++branch) {
    batch.logit_rows.push_back(batch.rows() - 1);
    step_.samples.push_back(SequenceId(sequence.id.value() + static_cast<std::uint64_t>(branch)));
  }
  if (sequence.branches > 1) forking_.push_back(&sequence);
}

// Of what was charged at admission, so that who is admitted next sees it: the prompt's tokens before `position` that no
// step read.
void Scheduler::Refund(Sequence& sequence, std::int32_t position) {
  TenantQueues::Charge(sequence, -std::max(0, std::min(position, sequence.charged) - sequence.read));
}

void Scheduler::CompleteStep() {
  CHECK(step_open_);
  step_open_ = false;
  ++steps_;
  for (Sequence* sequence : running_) {
    sequence->computed += sequence->planned;
    sequence->planned = 0;
  }
  for (Sequence* parent : forking_) Fork(*parent);
  forking_.clear();
  slots_free_.insert(slots_free_.end(), slots_read_.begin(), slots_read_.end());
  slots_read_.clear();
}

// The places were taken when the parent was admitted.
void Scheduler::Fork(Sequence& parent) {
  for (std::int32_t branch = 1; branch < parent.branches; ++branch) {
    const SequenceId id(parent.id.value() + static_cast<std::uint64_t>(branch));
    auto child = std::make_unique<Sequence>(parent, id);
    blocks_.Share(parent.blocks, child->blocks);
    waiting_.Join(child.get());
    running_.insert(std::upper_bound(running_.begin(), running_.end(), child.get(), GoesBefore), child.get());
    const bool inserted = sequences_.emplace(id, std::move(child)).second;
    CHECK_MSG(inserted, "the ids of branches are the caller's to give");
    ++forks_total_;
  }
  parent.branches = 1;
}

}  // namespace scheduler
