#include "libs/scheduler/scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"

namespace scheduler {

absl::StatusOr<std::unique_ptr<Scheduler>> Scheduler::Create(const SchedulerOptions& options) {
  const struct {
    const char* name;
    std::int32_t value, min, max;
  } bounds[] = {
      {"kv_blocks", options.blocks_total, 1, 1 << 24},
      {"block_size", options.block_size, 1, 256},
      {"sequences_max", options.sequences_max, 1, 4096},
      {"queue_max", options.queue_max, 1, 1 << 20},
      {"step_tokens_max", options.step_tokens_max, options.sequences_max, 1 << 16},
      {"steps_in_flight_max", options.steps_in_flight_max, 1, 2},
      {"swap_blocks", options.swap_blocks, 0, 1 << 24},
      {"aging.rank_steps", options.aging.rank_steps, 1, 1 << 30},
      {"aging.overdue_steps", options.aging.overdue_steps, 1, 1 << 30},
  };
  for (const auto& bound : bounds) {
    if (bound.value < bound.min || bound.value > bound.max) {
      return absl::InvalidArgumentError(
          absl::StrCat(bound.name, " is ", bound.value, ", must be in [", bound.min, ", ", bound.max, "]"));
    }
  }
  return std::unique_ptr<Scheduler>(new Scheduler(options));
}

Scheduler::Scheduler(const SchedulerOptions& options)
    : options_(options),
      blocks_(static_cast<std::uint32_t>(options.blocks_total), options.block_size, options.prefix_cache),
      waiting_(options.aging),
      prefill_rows_max_(options.step_tokens_max) {
  step_.batch.Clear();
  for (std::int32_t slot = options.swap_blocks; slot > 0; --slot) {
    slots_free_.push_back(static_cast<std::uint32_t>(slot - 1));
  }
}

Scheduler::~Scheduler() {
  for (Sequence* sequence : running_) blocks_.ReleaseAll(sequence->blocks);
}

// With the block that each branch beyond the first soon needs for itself.
std::int32_t Scheduler::BlocksToStart(const Sequence& sequence) const {
  return BlocksFor(sequence.tokens_known()) + sequence.branches - 1;
}

absl::Status Scheduler::Enqueue(NewSequence sequence) {
  const std::int64_t pool_tokens = std::int64_t{options_.blocks_total} * options_.block_size;
  const std::int64_t tokens = static_cast<std::int64_t>(sequence.prompt.size()) + sequence.tokens_max;
  if (sequence.prompt.empty() || sequence.tokens_max < 1) {
    return absl::InvalidArgumentError("a sequence needs at least one prompt token and one token to generate");
  }
  if (tokens > pool_tokens) {
    return absl::InvalidArgumentError(absl::StrCat("prompt and answer may reach ", tokens,
                                                   " tokens, the KV pool holds ", pool_tokens, "; raise kv_blocks"));
  }
  if (sequence.priority < 0 || sequence.priority >= kPriorities) {
    return absl::InvalidArgumentError(absl::StrCat("priority is ", sequence.priority));
  }
  if (sequence.branches < 1 || sequence.branches > std::min(kBranchesMax, options_.sequences_max)) {
    return absl::InvalidArgumentError(absl::StrCat("branches is ", sequence.branches, ", must be in [1, ",
                                                   std::min(kBranchesMax, options_.sequences_max),
                                                   "] (sequences_max)"));
  }
  if (waiting_.size() >= static_cast<std::size_t>(options_.queue_max)) {
    return absl::ResourceExhaustedError(absl::StrCat(waiting_.size(), " sequences wait already (queue_max)"));
  }
  const SequenceId id = sequence.id;
  auto [entry, inserted] = sequences_.try_emplace(id, nullptr);
  if (!inserted) return absl::AlreadyExistsError(absl::StrCat("sequence ", id.value(), " exists"));
  entry->second = std::make_unique<Sequence>(std::move(sequence), options_.block_size);
  waiting_.Push(entry->second.get(), steps_);
  blocks_promised_ += BlocksToStart(*entry->second);
  return absl::OkStatus();
}

bool Scheduler::Remove(SequenceId id) {
  const auto entry = sequences_.find(id);
  if (entry == sequences_.end()) return false;
  // Its last step has ended.
  if (options_.steps_in_flight_max == 1 && !entry->second->blocks.blocks().empty()) Settle(*entry->second);
  return Discard(id);
}

bool Scheduler::Discard(SequenceId id) {
  CHECK(!step_open_);
  const auto entry = sequences_.find(id);
  if (entry == sequences_.end()) return false;
  Sequence* sequence = entry->second.get();
  if (std::erase(running_, sequence) > 0) {
    places_taken_ -= sequence->branches;
    ReleaseBlocks(*sequence);
  } else {
    blocks_promised_ -= BlocksToStart(*sequence);
    DropSwapped(*sequence);
    const bool was_waiting = std::erase(preempted_, sequence) > 0 || waiting_.Remove(sequence);
    CHECK(was_waiting);
  }
  Refund(*sequence, sequence->charged);
  waiting_.Leave(*sequence);
  sequences_.erase(entry);
  return true;
}

std::vector<SequenceId> Scheduler::TakeExpired(base::MonotonicTime now) {
  std::vector<SequenceId> ids;
  for (Sequence* sequence : waiting_.TakeExpired(now)) {
    ids.push_back(sequence->id);
    blocks_promised_ -= BlocksToStart(*sequence);
    waiting_.Leave(*sequence);
    sequences_.erase(sequence->id);
  }
  return ids;
}

// Of a running sequence: makes findable what steps that have ended computed.
void Scheduler::Settle(Sequence& sequence) {
  sequence.settled = options_.steps_in_flight_max == 1 ? sequence.computed : sequence.computed_before;
  sequence.computed_before = sequence.computed;
  const auto whole = sequence.tokens_settled().size() / static_cast<std::size_t>(options_.block_size);
  if (whole <= sequence.published.blocks) return;
  blocks_.Publish(sequence.tenant_name, sequence.tokens_settled(), sequence.blocks, sequence.published);
}

void Scheduler::ReleaseBlocks(Sequence& sequence) {
  blocks_.ReleaseAll(sequence.blocks);
  sequence.published = {};
  sequence.computed = sequence.computed_before = sequence.settled = 0;
}

Sequence& Scheduler::Known(SequenceId id) {
  CHECK(!step_open_);
  const auto entry = sequences_.find(id);
  CHECK(entry != sequences_.end());
  return *entry->second;
}

void Scheduler::ExpectToken(SequenceId id, std::int32_t sample) {
  Sequence& sequence = Known(id);
  CHECK(sample >= 0 && sequence.tokens_pending() == 0 && sequence.tokens_known() < sequence.tokens_end);
  sequence.tokens.push_back(-1 - sample);
  ++sequence.tokens_expected;
}

void Scheduler::ResolveToken(SequenceId id, std::int32_t token) {
  Sequence& sequence = Known(id);
  CHECK(token >= 0 && sequence.tokens_expected > 0);
  sequence.tokens[sequence.tokens.size() - static_cast<std::size_t>(sequence.tokens_expected--)] = token;
}

void Scheduler::AppendToken(SequenceId id, std::int32_t token) {
  ExpectToken(id, 0);
  ResolveToken(id, token);
}

SchedulerCounts Scheduler::counts() const {
  return {.waiting = static_cast<std::int32_t>(waiting_.size()),
          .running = static_cast<std::int32_t>(running_.size()),
          .preempted = static_cast<std::int32_t>(preempted_.size()),
          .blocks_free = blocks_.blocks_free(),
          .blocks_promised = blocks_promised_,
          .preemptions_total = preemptions_total_,
          .swaps_total = swaps_total_,
          .forks_total = forks_total_,
          .prefix_tokens_total = prefix_tokens_total_};
}

void Scheduler::CheckInvariantsForTest() const {
  std::vector<std::uint32_t> holders(static_cast<std::size_t>(options_.blocks_total), 0);
  std::vector<SequenceId> family(holders.size());
  std::int32_t places = 0;
  for (const Sequence* sequence : running_) {
    CHECK(sequence->blocks.capacity_tokens() >= sequence->computed && sequence->swapped.empty());
    places += sequence->branches;
    for (kvcache::BlockId block : sequence->blocks.blocks()) {
      const auto index = static_cast<std::size_t>(block);
      const bool shared_rightly = holders[index] == 0 || blocks_.is_cached(block) || family[index] == sequence->family;
      CHECK_MSG(shared_rightly, "blocks are shared through the cache or a fork alone");
      family[index] = sequence->family;
      ++holders[index];
    }
  }
  std::size_t unheld = 0;
  for (std::uint32_t block = 0; block < holders.size(); ++block) {
    CHECK_MSG(blocks_.holders(kvcache::BlockId{block}) == holders[block], "references are counted");
    unheld += holders[block] == 0 ? 1 : 0;
  }
  CHECK_MSG(unheld == blocks_.blocks_free(), "no block is lost");
  blocks_.CheckInvariantsForTest();
  CHECK(places == places_taken_ && places <= options_.sequences_max);
  CHECK(std::is_sorted(running_.begin(), running_.end(), GoesBefore));
  std::int64_t promised = 0;
  std::size_t slots = slots_free_.size() + slots_read_.size();
  for (const auto& [id, sequence] : sequences_) {
    slots += sequence->swapped.size();
    const bool runs = std::find(running_.begin(), running_.end(), sequence.get()) != running_.end();
    if (runs) continue;
    CHECK_MSG(sequence->blocks.blocks().empty(), "only running sequences hold blocks");
    promised += BlocksToStart(*sequence);
  }
  CHECK(promised == blocks_promised_);
  CHECK_MSG(slots == static_cast<std::size_t>(options_.swap_blocks), "no slot is lost");
  CHECK(sequences_.size() == running_.size() + preempted_.size() + waiting_.size());
  CHECK(preempted_.size() <= 2 * static_cast<std::size_t>(options_.sequences_max));
}

}  // namespace scheduler
