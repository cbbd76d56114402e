#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "libs/scheduler/scheduler.h"

namespace scheduler {
namespace {

// What an outside observer may know of a sequence: its tokens, and which positions have been computed since it last
// lost its blocks. It checks each batch against that and never looks inside the scheduler.
struct Observed {
  std::vector<std::int32_t> tokens;
  std::int32_t generated_left = 0;
  std::int32_t computed = 0;
  bool started = false;
  int steps_waited = 0;  // steps in which it had no row
};

class SchedulerModel {
 public:
  // steps_in_flight 2: each step is planned before the tokens of the one before are known, as on a device.
  SchedulerModel(std::uint32_t seed, std::size_t steps_in_flight) : rng_(seed), steps_in_flight_(steps_in_flight) {
    options_.block_size = Between(1, 9);
    options_.blocks_total = Between(4, 40);
    options_.sequences_max = Between(1, 6);
    options_.step_tokens_max = options_.sequences_max + Between(0, 12);
    options_.queue_max = Between(1, 12);
    scheduler_ = *Scheduler::Create(options_);
  }

  void Run(int arrivals) {
    for (int steps = 0; arrivals > 0 || !live_.empty(); ++steps) {
      ASSERT_LT(steps, 200'000) << "every sequence ends";
      if (arrivals > 0 && Between(0, 2) == 0) arrivals -= TryArrival() ? 1 : 0;
      if (Between(0, 40) == 0) CancelOne();
      now_ += std::chrono::seconds(1);
      for (SequenceId id : scheduler_->TakeExpired(now_)) {
        ASSERT_EQ(live_.at(id.value()).computed, 0) << "deadlines count only before prefill";
        live_.erase(id.value());
      }
      Step();
      if (testing::Test::HasFatalFailure()) return;
    }
    const SchedulerCounts counts = scheduler_->counts();
    EXPECT_EQ(counts.blocks_free, options_.blocks_total);
    EXPECT_EQ(counts.blocks_promised, 0);
  }

 private:
  int Between(int low, int high) { return low + static_cast<int>(rng_() % static_cast<unsigned>(high - low + 1)); }

  bool TryArrival() {
    const int pool_tokens = options_.block_size * options_.blocks_total;
    NewSequence sequence;
    sequence.id = SequenceId(next_id_++);
    sequence.tenant = std::string(1, static_cast<char>('a' + Between(0, 2)));
    sequence.prompt.resize(static_cast<std::size_t>(Between(1, std::max(1, pool_tokens / 2))));
    for (auto& token : sequence.prompt) token = Between(0, 999);
    sequence.tokens_max = Between(1, std::max(1, pool_tokens / 2));
    if (Between(0, 3) == 0) sequence.deadline = now_ + std::chrono::seconds(Between(1, 60));
    Observed observed{.tokens = sequence.prompt, .generated_left = sequence.tokens_max};
    const std::uint64_t id = sequence.id.value();
    if (!scheduler_->Enqueue(std::move(sequence)).ok()) return false;
    live_[id] = std::move(observed);
    return true;
  }

  void CancelOne() {
    if (live_.empty()) return;
    auto victim = std::next(live_.begin(), Between(0, static_cast<int>(live_.size()) - 1));
    EXPECT_TRUE(scheduler_->Remove(SequenceId(victim->first)));
    live_.erase(victim);
  }

  void Step() {
    const scheduler::Step& step = scheduler_->BuildStep();
    scheduler_->CheckInvariantsForTest();
    CheckBatch(step);
    if (testing::Test::HasFatalFailure()) return;
    const bool idle = step.batch.rows() == 0;
    if (!idle) {
      scheduler_->CompleteStep();
      for (std::size_t i = 0; i < step.samples.size(); ++i) {
        const auto sample = static_cast<std::int32_t>(i);
        scheduler_->ExpectToken(step.samples[i], sample);
        live_.at(step.samples[i].value()).tokens.push_back(-1 - sample);
      }
      flights_.push_back(step.samples);
      scheduler_->CheckInvariantsForTest();
    } else if (flights_.empty()) {
      ASSERT_TRUE(live_.empty()) << "with sequences there is always work";
      return;
    }
    if (idle || flights_.size() == steps_in_flight_) TellTokens();
    scheduler_->CheckInvariantsForTest();
  }

  // Of the oldest step in flight. Sequences that have left since are skipped; some end here, whatever is in flight.
  void TellTokens() {
    for (SequenceId id : flights_.front()) {
      if (!live_.contains(id.value())) continue;
      Observed& observed = live_.at(id.value());
      if (--observed.generated_left == 0 || Between(0, 30) == 0) {
        ASSERT_TRUE(scheduler_->Remove(id));
        live_.erase(id.value());
        continue;
      }
      const auto oldest = std::find_if(observed.tokens.begin(), observed.tokens.end(), [](auto t) { return t < 0; });
      ASSERT_NE(oldest, observed.tokens.end());
      *oldest = Between(0, 999);
      scheduler_->ResolveToken(id, *oldest);
    }
    flights_.pop_front();
  }

  void CheckBatch(const scheduler::Step& step) {
    const kvcache::StepBatch& batch = step.batch;
    ASSERT_LE(batch.rows(), options_.step_tokens_max);
    ASSERT_EQ(step.prefill_tokens + step.decode_tokens, batch.rows());
    ASSERT_EQ(static_cast<std::size_t>(batch.sequences()), step.members.size());
    ASSERT_EQ(batch.logit_rows.size(), step.samples.size());
    std::set<std::uint32_t> blocks_seen;
    std::size_t samples_seen = 0;
    for (std::size_t s = 0; s < step.members.size(); ++s) {
      Observed& observed = live_.at(step.members[s].value());
      const std::int32_t begin = batch.row_begin[s], end = batch.row_begin[s + 1];
      ASSERT_LT(begin, end);
      // A sequence goes on where it was, or, after a preemption, from its first token.
      const std::int32_t start = batch.positions[static_cast<std::size_t>(begin)];
      ASSERT_TRUE(start == observed.computed || start == 0);
      for (std::int32_t row = begin; row < end; ++row) {
        const std::int32_t position = batch.positions[static_cast<std::size_t>(row)];
        ASSERT_EQ(position, start + row - begin);
        ASSERT_EQ(batch.token_ids[static_cast<std::size_t>(row)],
                  observed.tokens.at(static_cast<std::size_t>(position)));
      }
      observed.computed = start + end - begin;
      const bool first = std::count(step.started.begin(), step.started.end(), step.members[s]) > 0;
      ASSERT_EQ(first, !std::exchange(observed.started, true)) << "a start is told once, with the first rows";
      ASSERT_EQ((batch.block_begin[s + 1] - batch.block_begin[s]) * options_.block_size,
                (observed.computed + options_.block_size - 1) / options_.block_size * options_.block_size);
      for (std::int32_t b = batch.block_begin[s]; b < batch.block_begin[s + 1]; ++b) {
        ASSERT_TRUE(blocks_seen.insert(batch.block_ids[static_cast<std::size_t>(b)]).second) << "block shared wrongly";
      }
      if (observed.computed == static_cast<std::int32_t>(observed.tokens.size())) {
        ASSERT_EQ(batch.logit_rows.at(samples_seen), end - 1);
        ASSERT_EQ(step.samples.at(samples_seen), step.members[s]);
        ++samples_seen;
      }
    }
    ASSERT_EQ(samples_seen, step.samples.size());
    for (auto& [id, observed] : live_) {
      const bool has_rows = std::find(step.members.begin(), step.members.end(), SequenceId(id)) != step.members.end();
      observed.steps_waited = has_rows ? 0 : observed.steps_waited + 1;
      ASSERT_LT(observed.steps_waited, 20'000) << "sequence " << id << " starves";
    }
  }

  std::mt19937 rng_;
  const std::size_t steps_in_flight_;
  std::deque<std::vector<SequenceId>> flights_;  // samples of the steps whose tokens are not told yet
  SchedulerOptions options_;
  std::unique_ptr<Scheduler> scheduler_;
  std::map<std::uint64_t, Observed> live_;
  std::uint64_t next_id_ = 1;
  base::MonotonicTime now_{std::chrono::seconds(1)};
};

// Goal: no block is lost or shared, every row carries the right token at the right position, nothing starves and every
// sequence ends, under arrivals, cancellations, deadlines and pools far too small for the load; also when a step is
// planned before the tokens of the one before are known.
// Method: 150 random configurations with 40 arrivals each against an observer that knows only the tokens.
TEST(SchedulerPropertyTest, RandomTrafficKeepsEveryPromise) {
  for (std::size_t steps_in_flight : {1, 2}) {
    for (std::uint32_t seed = 1; seed <= 150; ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", steps in flight " << steps_in_flight);
      SchedulerModel(seed, steps_in_flight).Run(/*arrivals=*/40);
      if (HasFatalFailure()) return;
    }
  }
}

// Goal: a tenant that floods the queue can't keep another one out. Method: the flood refills its queue for ever; the
// other tenant's single sequence must start within one turn of each running slot.
TEST(SchedulerPropertyTest, FloodOfOneTenantDelaysAnotherByOneTurn) {
  auto scheduler = *Scheduler::Create(
      {.blocks_total = 64, .block_size = 4, .sequences_max = 2, .queue_max = 64, .step_tokens_max = 16});
  std::uint64_t next_id = 1;
  const auto flood = [&] {
    while (scheduler->counts().waiting < 60) {
      ASSERT_TRUE(scheduler->Enqueue({SequenceId(next_id++), "flood", {1, 2, 3}, 4, {}}).ok());
    }
  };
  flood();
  const SequenceId other(1'000'000);
  ASSERT_TRUE(scheduler->Enqueue({other, "other", {1}, 1, {}}).ok());
  std::map<std::uint64_t, int> generated;
  for (int step_count = 0;; ++step_count) {
    ASSERT_LT(step_count, 8) << "one sequence of the flood takes 4 steps";
    flood();
    const Step& step = scheduler->BuildStep();
    if (std::count(step.started.begin(), step.started.end(), other) > 0) break;
    scheduler->CompleteStep();
    for (SequenceId id : step.samples) {
      if (++generated[id.value()] == 4) {
        scheduler->Remove(id);
      } else {
        scheduler->AppendToken(id, 1);
      }
    }
  }
}

}  // namespace
}  // namespace scheduler
