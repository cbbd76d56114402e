// Who may run next, and on whose blocks.
#include <algorithm>

#include "libs/base/check.h"
#include "libs/scheduler/scheduler.h"

namespace scheduler {

// Preempted sequences before new ones of the same rank, the oldest first. With as many preempted as may run, nothing
// new starts, so that their number stays bounded.
Sequence* Scheduler::NextToAdmit() {
  Sequence* resumed = nullptr;
  for (Sequence* sequence : preempted_) {
    if (sequence->tokens_expected > 0) continue;  // preempted for this very step, its last token still to be told
    sequence->rank = waiting_.RankAt(*sequence, steps_);
    if (resumed == nullptr || sequence->rank < resumed->rank) resumed = sequence;
  }
  if (PlacesPreempted() >= options_.sequences_max) return resumed;
  Sequence* fresh = waiting_.Front(steps_);
  if (resumed == nullptr || fresh == nullptr) return resumed == nullptr ? fresh : resumed;
  return fresh->rank < resumed->rank ? fresh : resumed;
}

std::int32_t Scheduler::PlacesPreempted() const {
  std::int32_t places = 0;
  for (const Sequence* sequence : preempted_) places += sequence->branches;
  return places;
}

void Scheduler::Admit() {
  for (;;) {
    Sequence* sequence = NextToAdmit();
    if (sequence == nullptr) return;
    const bool no_place = places_taken_ + sequence->branches > options_.sequences_max;
    if (no_place && running_.back()->rank <= sequence->rank) return;  // before it looks into the cache in vain
    std::int64_t blocks_missing = 0;
    if (!TryStart(*sequence, &blocks_missing)) {
      if (!MakeRoom(*sequence, blocks_missing)) return;
      // Victims may have lost blocks that this one shares by the cache, so that it now misses more: the next step sees.
      if (!TryStart(*sequence, &blocks_missing)) return;
    }
    sequence->admitted = steps_;
    sequence->steps_waited += steps_ - sequence->wait_began;
    blocks_promised_ -= BlocksToStart(*sequence);
    places_taken_ += sequence->branches;
    if (sequence->ticket == 0) {
      waiting_.Pop(sequence, steps_);
      sequence->ticket = next_ticket_++;
      sequence->charged = sequence->tokens_known();
      sequence->read = sequence->computed;
      TenantQueues::Charge(*sequence, sequence->tokens_pending());
    } else {
      std::erase(preempted_, sequence);
    }
    running_.insert(std::upper_bound(running_.begin(), running_.end(), sequence, GoesBefore), sequence);
  }
}

// Gives a sequence the blocks of its known tokens: those of a cached prefix, those swapped out, new ones. False: there
// is no place for it, or as many blocks are missing as it says.
bool Scheduler::TryStart(Sequence& sequence, std::int64_t* blocks_missing) {
  CHECK(sequence.tokens_expected == 0);
  const std::int32_t cached = blocks_.Acquire(sequence.tenant_name, sequence.tokens, sequence.blocks);
  // A spare block for each that runs, and for each branch; but what is alone in the pool starts if it fits at all.
  std::int64_t needed = sequence.blocks.BlocksMissing(sequence.tokens_known());
  if (!running_.empty()) needed += places_taken_ + sequence.branches - 1;
  *blocks_missing = needed - blocks_.blocks_free();
  if (places_taken_ + sequence.branches > options_.sequences_max || *blocks_missing > 0 ||
      !blocks_.TryReserve(sequence.blocks, sequence.tokens_known())) {
    blocks_.ReleaseAll(sequence.blocks);
    return false;
  }
  sequence.computed = cached;
  if (!sequence.swapped.empty()) SwapIn(sequence);
  sequence.computed_before = sequence.settled = sequence.computed;
  return true;
}

// What was swapped out goes on where the cached prefix ends. When the cache lost blocks before it, it is of no use.
void Scheduler::SwapIn(Sequence& sequence) {
  const std::int32_t cached_blocks = sequence.computed / options_.block_size;
  if (cached_blocks >= sequence.swapped_first && sequence.swapped_computed > sequence.computed) {
    for (std::int32_t i = cached_blocks; i < BlocksFor(sequence.swapped_computed); ++i) {
      step_.batch.swap_in.push_back(
          {sequence.swapped[static_cast<std::size_t>(i - sequence.swapped_first)],
           static_cast<std::uint32_t>(sequence.blocks.blocks()[static_cast<std::size_t>(i)])});
    }
    sequence.computed = sequence.swapped_computed;
    step_.moved.push_back(sequence.id);
  }
  // The step reads the slots after it has written others.
  slots_read_.insert(slots_read_.end(), sequence.swapped.begin(), sequence.swapped.end());
  sequence.swapped.clear();
}

// Preempts running sequences of lower rank, if that gives `sequence` its place and the blocks that it misses.
bool Scheduler::MakeRoom(const Sequence& sequence, std::int64_t blocks_missing) {
  std::int64_t places_missing = places_taken_ + sequence.branches - options_.sequences_max;
  std::vector<Sequence*> victims;
  for (auto victim = running_.rbegin(); victim != running_.rend() && (*victim)->rank > sequence.rank; ++victim) {
    if (places_missing <= 0 && blocks_missing <= 0) break;
    // Gone in a moment, or only just there, its blocks on their way from the host.
    if ((*victim)->awaits_last_token() || (*victim)->admitted == steps_) continue;
    victims.push_back(*victim);
    places_missing -= (*victim)->branches;
    blocks_missing -= blocks_.BlocksHeldAlone((*victim)->blocks) + (*victim)->branches;
  }
  std::int32_t places_preempted = PlacesPreempted();
  for (const Sequence* victim : victims) places_preempted += victim->branches;
  if (places_missing > 0 || blocks_missing > 0 || places_preempted > options_.sequences_max) return false;
  for (Sequence* victim : victims) Preempt(victim);
  return !victims.empty();
}

}  // namespace scheduler
