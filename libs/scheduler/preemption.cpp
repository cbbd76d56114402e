// Who gives blocks back when there are too few, and what becomes of what they hold.
#include <algorithm>
#include <optional>

#include "libs/base/check.h"
#include "libs/scheduler/scheduler.h"

namespace scheduler {

// Blocks for the known tokens, the one that the next row writes into unshared.
bool Scheduler::TryReserveNext(Sequence& sequence) {
  if (!blocks_.TryReserve(sequence.blocks, sequence.tokens_known())) return false;
  std::optional<kvcache::BlockMove> copy;
  const auto index = static_cast<std::size_t>(sequence.computed / options_.block_size);
  if (!blocks_.MakeWritable(sequence.blocks, index, copy)) return false;
  if (copy.has_value()) step_.batch.copies.push_back(*copy);
  return true;
}

// Victims go after `sequence` and have no rows in this step yet, because rows are planned in order. False: `sequence`
// was the last and was preempted itself.
bool Scheduler::ReserveOrPreempt(Sequence& sequence) {
  while (!TryReserveNext(sequence)) {
    Sequence* victim = running_.back();
    CHECK(victim->planned == 0);
    Preempt(victim);
    if (victim == &sequence) return false;
  }
  return true;
}

void Scheduler::Preempt(Sequence* victim) {
  // Its blocks are not in the step that swapped them in: whoever was admitted in this step left a block for each other.
  CHECK(std::find(step_.moved.begin(), step_.moved.end(), victim->id) == step_.moved.end());
  std::erase(running_, victim);
  places_taken_ -= victim->branches;
  if (TrySwapOut(*victim)) ++swaps_total_;
  ReleaseBlocks(*victim);
  victim->wait_began = steps_;
  blocks_promised_ += BlocksToStart(*victim);
  const auto older = [](const Sequence* a, const Sequence* b) { return a->ticket < b->ticket; };
  preempted_.insert(std::upper_bound(preempted_.begin(), preempted_.end(), victim, older), victim);
  ++preemptions_total_;
}

bool Scheduler::TrySwapOut(Sequence& victim) {
  const std::int32_t shared = std::min(blocks_.BlocksSharedAhead(victim.blocks), victim.computed / options_.block_size);
  const std::int32_t blocks = BlocksFor(victim.computed) - shared;
  const double recompute_cost = victim.computed - shared * options_.block_size;
  if (blocks == 0 || static_cast<std::size_t>(blocks) > slots_free_.size()) return false;
  if (blocks * options_.swap_block_cost >= recompute_cost) return false;
  for (kvcache::BlockId block :
       victim.blocks.blocks().subspan(static_cast<std::size_t>(shared), static_cast<std::size_t>(blocks))) {
    victim.swapped.push_back(slots_free_.back());
    slots_free_.pop_back();
    step_.batch.swap_out.push_back({static_cast<std::uint32_t>(block), victim.swapped.back()});
  }
  victim.swapped_first = shared;
  victim.swapped_computed = victim.computed;
  step_.moved.push_back(victim.id);
  return true;
}

void Scheduler::DropSwapped(Sequence& sequence) {
  slots_free_.insert(slots_free_.end(), sequence.swapped.begin(), sequence.swapped.end());
  sequence.swapped.clear();
}

}  // namespace scheduler
