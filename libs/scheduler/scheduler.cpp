#include "libs/scheduler/scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"

namespace scheduler {
namespace {

bool OlderThan(const Sequence* a, const Sequence* b) { return a->ticket < b->ticket; }

void InsertByAge(std::vector<Sequence*>& list, Sequence* sequence) {
  list.insert(std::upper_bound(list.begin(), list.end(), sequence, OlderThan), sequence);
}

}  // namespace

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
      blocks_(static_cast<std::uint32_t>(options.blocks_total), options.block_size, options.prefix_cache) {
  step_.batch.Clear();
}

Scheduler::~Scheduler() {
  for (Sequence* sequence : running_) blocks_.ReleaseAll(sequence->blocks);
}

std::int32_t Scheduler::BlocksToStart(const Sequence& sequence) const {
  return kvcache::BlockTable::BlocksFor(sequence.tokens_known(), options_.block_size);
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
  if (waiting_.size() >= static_cast<std::size_t>(options_.queue_max)) {
    return absl::ResourceExhaustedError(absl::StrCat(waiting_.size(), " sequences wait already (queue_max)"));
  }
  const SequenceId id = sequence.id;
  auto [entry, inserted] = sequences_.try_emplace(id, nullptr);
  if (!inserted) return absl::AlreadyExistsError(absl::StrCat("sequence ", id.value(), " exists"));
  entry->second = std::make_unique<Sequence>(std::move(sequence), options_.block_size);
  waiting_.Push(entry->second.get());
  blocks_promised_ += BlocksToStart(*entry->second);
  return absl::OkStatus();
}

bool Scheduler::Remove(SequenceId id) {
  const auto entry = sequences_.find(id);
  if (entry == sequences_.end()) return false;
  if (options_.steps_in_flight_max == 1) Settle(*entry->second);  // its last step has ended
  return Discard(id);
}

bool Scheduler::Discard(SequenceId id) {
  CHECK(!step_open_);
  const auto entry = sequences_.find(id);
  if (entry == sequences_.end()) return false;
  Sequence* sequence = entry->second.get();
  if (std::erase(running_, sequence) > 0) {
    ReleaseBlocks(*sequence);
  } else {
    blocks_promised_ -= BlocksToStart(*sequence);
    const bool was_waiting = std::erase(preempted_, sequence) > 0 || waiting_.Remove(sequence);
    CHECK(was_waiting);
  }
  sequences_.erase(entry);
  return true;
}

std::vector<SequenceId> Scheduler::TakeExpired(base::MonotonicTime now) {
  std::vector<SequenceId> ids;
  for (Sequence* sequence : waiting_.TakeExpired(now)) {
    ids.push_back(sequence->id);
    blocks_promised_ -= BlocksToStart(*sequence);
    sequences_.erase(sequence->id);
  }
  return ids;
}

Sequence* Scheduler::NextToAdmit() const { return preempted_.empty() ? waiting_.Front() : preempted_.front(); }

void Scheduler::Admit() {
  while (running_.size() < static_cast<std::size_t>(options_.sequences_max)) {
    Sequence* sequence = NextToAdmit();
    if (sequence == nullptr) return;
    if (!TryStart(*sequence)) return;
    blocks_promised_ -= BlocksToStart(*sequence);
    if (sequence->ticket == 0) {
      waiting_.PopFront();
      sequence->ticket = next_ticket_++;
    } else {
      preempted_.erase(preempted_.begin());
    }
    InsertByAge(running_, sequence);
  }
}

// Gives a sequence the blocks of its known tokens, those of a cached prefix first.
bool Scheduler::TryStart(Sequence& sequence) {
  CHECK(sequence.tokens_expected == 0);
  const std::int32_t cached = blocks_.Acquire(sequence.tenant, sequence.tokens, sequence.blocks);
  const auto missing = static_cast<std::size_t>(sequence.blocks.BlocksMissing(sequence.tokens_known()));
  if (missing + running_.size() > blocks_.blocks_free() ||
      !blocks_.TryReserve(sequence.blocks, sequence.tokens_known())) {
    blocks_.ReleaseAll(sequence.blocks);
    return false;
  }
  sequence.computed = sequence.computed_before = sequence.settled = cached;
  return true;
}

// Of a running sequence: makes findable what steps that have ended computed.
void Scheduler::Settle(Sequence& sequence) {
  sequence.settled = options_.steps_in_flight_max == 1 ? sequence.computed : sequence.computed_before;
  sequence.computed_before = sequence.computed;
  const auto whole = sequence.tokens_settled().size() / static_cast<std::size_t>(options_.block_size);
  if (whole <= sequence.published.blocks) return;
  blocks_.Publish(sequence.tenant, sequence.tokens_settled(), sequence.blocks, sequence.published);
}

void Scheduler::ReleaseBlocks(Sequence& sequence) {
  blocks_.ReleaseAll(sequence.blocks);
  sequence.published = {};
  sequence.computed = sequence.computed_before = sequence.settled = 0;
}

void Scheduler::Preempt(Sequence* victim) {
  std::erase(running_, victim);
  ReleaseBlocks(*victim);
  blocks_promised_ += BlocksToStart(*victim);
  InsertByAge(preempted_, victim);
  ++preemptions_total_;
}

// Makes room for the known tokens. Victims are younger than `sequence` and have no rows in this step yet, because rows
// are planned oldest first. False: `sequence` was the youngest and was preempted itself.
bool Scheduler::ReserveOrPreempt(Sequence& sequence) {
  while (!blocks_.TryReserve(sequence.blocks, sequence.tokens_known())) {
    Sequence* victim = running_.back();
    CHECK(victim->planned == 0);
    Preempt(victim);
    if (victim == &sequence) return false;
  }
  return true;
}

void Scheduler::PlanRows(Sequence& sequence, std::int32_t rows) {
  kvcache::StepBatch& batch = step_.batch;
  sequence.planned = rows;
  CHECK_MSG(sequence.tokens_expected <= 1, "the step before the last was answered");
  for (std::int32_t i = 0; i < rows; ++i) {
    const std::int32_t position = sequence.computed + i;
    batch.token_ids.push_back(sequence.tokens[static_cast<std::size_t>(position)]);
    batch.positions.push_back(position);
  }
  const std::int32_t positions_end = sequence.computed + rows;
  const auto blocks = sequence.blocks.blocks().first(
      static_cast<std::size_t>(kvcache::BlockTable::BlocksFor(positions_end, options_.block_size)));
  for (kvcache::BlockId block : blocks) batch.block_ids.push_back(static_cast<std::uint32_t>(block));
  batch.row_begin.push_back(batch.rows());
  batch.block_begin.push_back(static_cast<std::int32_t>(batch.block_ids.size()));
  step_.members.push_back(sequence.id);
  if (!std::exchange(sequence.started, true)) {
    sequence.cached = sequence.computed;
    prefix_tokens_total_ += sequence.cached;
    step_.started.push_back(sequence.id);
  }
  if (positions_end == sequence.tokens_known()) {
    batch.logit_rows.push_back(batch.rows() - 1);
    step_.samples.push_back(sequence.id);
  }
}

const Step& Scheduler::BuildStep() {
  CHECK(!step_open_);
  step_.batch.Clear();
  step_.samples.clear();
  step_.members.clear();
  step_.started.clear();
  for (Sequence* sequence : running_) Settle(*sequence);
  Admit();

  // By index, because a preemption shortens running_ behind the sequence that asked.
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Sequence& sequence = *running_[i];
    if (sequence.awaits_last_token()) continue;
    CHECK_MSG(sequence.tokens_pending() > 0, "the last step's sample got its token");
    if (sequence.tokens_pending() == 1 && ReserveOrPreempt(sequence)) PlanRows(sequence, 1);
  }
  step_.decode_tokens = step_.batch.rows();

  std::int32_t budget = options_.step_tokens_max - step_.decode_tokens;
  for (Sequence* sequence : running_) {
    if (budget == 0) break;
    if (sequence->planned > 0 || sequence->awaits_last_token()) continue;
    sequence->computed = blocks_.Extend(sequence->tenant, sequence->tokens, sequence->computed, sequence->blocks);
    const std::int32_t rows = std::min(budget, sequence->tokens_pending());
    PlanRows(*sequence, rows);
    budget -= rows;
  }
  step_.prefill_tokens = step_.batch.rows() - step_.decode_tokens;
  step_open_ = step_.batch.rows() > 0;
  return step_;
}

void Scheduler::CompleteStep() {
  CHECK(step_open_);
  step_open_ = false;
  for (Sequence* sequence : running_) {
    sequence->computed += sequence->planned;
    sequence->planned = 0;
  }
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
          .prefix_tokens_total = prefix_tokens_total_};
}

void Scheduler::CheckInvariantsForTest() const {
  std::vector<std::uint32_t> holders(static_cast<std::size_t>(options_.blocks_total), 0);
  for (const Sequence* sequence : running_) {
    CHECK(sequence->blocks.capacity_tokens() >= sequence->computed);
    for (kvcache::BlockId block : sequence->blocks.blocks()) {
      ++holders[static_cast<std::size_t>(block)];
    }
  }
  std::size_t unheld = 0;
  for (std::uint32_t block = 0; block < holders.size(); ++block) {
    const bool cached = blocks_.is_cached(kvcache::BlockId{block});
    CHECK_MSG(blocks_.references(kvcache::BlockId{block}) == holders[block] + (cached ? 1 : 0),
              "references are counted");
    CHECK_MSG(holders[block] <= 1 || cached, "only cached blocks are shared");
    unheld += holders[block] == 0 ? 1 : 0;
  }
  CHECK_MSG(unheld == blocks_.blocks_free(), "no block is lost");
  blocks_.CheckInvariantsForTest();
  std::int64_t promised = 0;
  for (const auto& [id, sequence] : sequences_) {
    const bool runs = std::find(running_.begin(), running_.end(), sequence.get()) != running_.end();
    if (runs) continue;
    CHECK_MSG(sequence->blocks.blocks().empty(), "only running sequences hold blocks");
    promised += BlocksToStart(*sequence);
  }
  CHECK(promised == blocks_promised_);
  CHECK(sequences_.size() == running_.size() + preempted_.size() + waiting_.size());
  CHECK(running_.size() <= static_cast<std::size_t>(options_.sequences_max));
}

}  // namespace scheduler
