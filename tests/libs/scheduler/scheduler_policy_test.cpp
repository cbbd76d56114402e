#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "libs/scheduler/scheduler.h"
#include "tests/libs/scheduler/kv_machine.h"

namespace scheduler {
namespace {

// A scheduler and the machine that runs its steps, told every token at once.
class SchedulerPolicyTest : public testing::Test {
 protected:
  SchedulerOptions options_{.blocks_total = 16,
                            .block_size = 4,
                            .sequences_max = 4,
                            .queue_max = 64,
                            .step_tokens_max = 32,
                            .prefix_cache = std::nullopt,
                            .aging = {.rank_steps = 20, .overdue_steps = 60}};

  void Make() {
    scheduler_ = *Scheduler::Create(options_);
    machine_ = std::make_unique<KvMachine>(options_);
  }

  struct Asked {
    std::int32_t prompt_tokens = 1, tokens_max = 1;
    std::int32_t priority = 0, branches = 1;
    std::string tenant = "t";
    std::vector<std::int32_t> prompt{};  // empty: random
  };
  std::vector<std::int32_t> RandomPrompt(std::int32_t tokens) {
    std::vector<std::int32_t> prompt(static_cast<std::size_t>(tokens));
    for (auto& token : prompt) token = static_cast<std::int32_t>(rng_() % KvMachine::kVocabulary);
    return prompt;
  }
  SequenceId Ask(const Asked& asked) {
    const SequenceId id(next_id_);
    next_id_ += static_cast<std::uint64_t>(asked.branches);
    std::vector<std::int32_t> prompt = asked.prompt.empty() ? RandomPrompt(asked.prompt_tokens) : asked.prompt;
    machine_->Add(id, asked.tenant, prompt, rng_());
    for (int i = 0; i < asked.branches; ++i) left_[id.value() + static_cast<std::uint64_t>(i)] = asked.tokens_max;
    EXPECT_TRUE(scheduler_
                    ->Enqueue({.id = id,
                               .tenant = asked.tenant,
                               .prompt = std::move(prompt),
                               .tokens_max = asked.tokens_max,
                               .priority = asked.priority,
                               .branches = asked.branches})
                    .ok());
    return id;
  }

  // A copy, since the next one is built into the same place.
  Step RunStep() {
    Step step = scheduler_->BuildStep();
    if (step.batch.rows() == 0) return step;
    machine_->Run(step);
    scheduler_->CompleteStep();
    ++steps_;
    for (SequenceId id : step.samples) {
      const std::int32_t token = machine_->Tell(id);
      if (--left_.at(id.value()) > 0) {
        scheduler_->AppendToken(id, token);
      } else {
        answers_[id.value()] = machine_->Answer(id);
        scheduler_->Remove(id);
      }
    }
    scheduler_->CheckInvariantsForTest();
    return step;
  }
  bool Started(SequenceId id, const Step& step) { return std::count(step.started.begin(), step.started.end(), id) > 0; }
  int StepsUntil(const std::function<bool(const Step&)>& reached, int steps_max) {
    for (int steps = 1; steps <= steps_max; ++steps) {
      if (reached(RunStep())) return steps;
    }
    return steps_max + 1;
  }

  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<KvMachine> machine_;
  std::map<std::uint64_t, std::int32_t> left_;  // tokens until the end
  std::map<std::uint64_t, std::vector<std::int32_t>> answers_;
  std::mt19937 rng_{7};
  std::uint64_t next_id_ = 1;
  int steps_ = 0;
};

TEST_F(SchedulerPolicyTest, HigherPriorityTakesThePlaceAndBlocksOfALowerOneThatRuns) {
  options_.sequences_max = 2;
  Make();
  const SequenceId low = Ask({.prompt_tokens = 8, .tokens_max = 20, .priority = 2});
  const SequenceId middle = Ask({.prompt_tokens = 8, .tokens_max = 20, .priority = 1});
  RunStep();
  const SequenceId high = Ask({.prompt_tokens = 8, .tokens_max = 3});
  EXPECT_TRUE(Started(high, RunStep()));
  EXPECT_EQ(scheduler_->counts().preempted, 1);
  const SequenceId equal = Ask({.prompt_tokens = 8, .tokens_max = 3, .priority = 1});
  EXPECT_FALSE(Started(equal, RunStep())) << "equals are not preempted";
  while (!answers_.contains(equal.value())) RunStep();
  EXPECT_FALSE(answers_.contains(low.value()));
  EXPECT_FALSE(answers_.contains(middle.value())) << "it kept its place";
  EXPECT_EQ(scheduler_->counts().preemptions_total, 1);
  while (!answers_.contains(low.value())) RunStep();
}

TEST_F(SchedulerPolicyTest, NobodyIsPreemptedInVain) {
  options_.blocks_total = 8;
  Make();
  Ask({.prompt_tokens = 20, .tokens_max = 10});
  RunStep();
  Ask({.prompt_tokens = 4, .tokens_max = 10, .priority = 2});
  RunStep();
  Ask({.prompt_tokens = 28, .tokens_max = 2});  // not even with the blocks of the lower one
  RunStep();
  EXPECT_EQ(scheduler_->counts().preemptions_total, 0);
  EXPECT_EQ(scheduler_->counts().waiting, 1);
}

// The bound that TenantQueues states, for one tenant: after priority * rank_steps a sequence ranks with the highest,
// and among those who came first goes first.
TEST_F(SchedulerPolicyTest, EndlessHighPriorityDoesNotStarveALowOne) {
  options_.sequences_max = 2;
  Make();
  const auto flood = [&] {
    while (scheduler_->counts().waiting < 3) Ask({.prompt_tokens = 3, .tokens_max = 4});
  };
  flood();
  RunStep();
  const SequenceId low = Ask({.prompt_tokens = 3, .tokens_max = 30, .priority = 2});
  const int aged = 2 * options_.aging.rank_steps;
  const int started = StepsUntil(
      [&](const Step& step) {
        flood();
        return Started(low, step);
      },
      /*steps_max=*/aged + 10);
  EXPECT_GT(started, aged - 5) << "until then it goes last";
  EXPECT_LE(started, aged + 10);
  // What has risen by waiting keeps its place.
  const int ended = StepsUntil(
      [&](const Step&) {
        flood();
        return answers_.contains(low.value());
      },
      40);
  EXPECT_LE(ended, 30);
}

// Across tenants: an endless stream of new tenants, each served nothing yet, beside one that was served much.
TEST_F(SchedulerPolicyTest, TenantServedMuchIsNotStarvedByNewOnes) {
  options_.sequences_max = 1;
  Make();
  Ask({.prompt_tokens = 20, .tokens_max = 30, .tenant = "heavy"});
  const SequenceId waits = Ask({.prompt_tokens = 2, .tokens_max = 1, .tenant = "heavy"});
  int tenants = 0;
  const auto crowd = [&] {
    while (scheduler_->counts().waiting < 4) Ask({.tokens_max = 2, .tenant = "new" + std::to_string(++tenants)});
  };
  crowd();
  const int started = StepsUntil(
      [&](const Step& step) {
        crowd();
        return Started(waits, step);
      },
      300);
  EXPECT_LE(started, 30 + options_.aging.overdue_steps + 2 * 4) << "overdue, and the others that are, 2 steps each";
}

TEST_F(SchedulerPolicyTest, TenantsGetTheSameShareOfTokensWhateverTheyAskFor) {
  options_.sequences_max = 2;
  options_.blocks_total = 64;
  options_.aging = {.rank_steps = 10'000, .overdue_steps = 10'000};
  Make();
  std::map<std::string, std::int64_t> served;
  std::map<std::uint64_t, Asked> asked;
  std::map<std::string, int> waiting;
  const auto refill = [&](const Asked& what) {
    while (waiting[what.tenant] < 3) {
      asked[Ask(what).value()] = what;
      ++waiting[what.tenant];
    }
  };
  while (steps_ < 4'000) {
    refill({.prompt_tokens = 24, .tokens_max = 12, .tenant = "long"});
    refill({.prompt_tokens = 2, .tokens_max = 3, .tenant = "short"});
    for (SequenceId id : RunStep().started) {
      const Asked& what = asked.at(id.value());
      --waiting[what.tenant];
      served[what.tenant] += what.prompt_tokens + 2 * what.tokens_max;
    }
  }
  const double ratio = static_cast<double>(served["long"]) / static_cast<double>(served["short"]);
  EXPECT_GT(ratio, 0.8);
  EXPECT_LT(ratio, 1.25);
}

// The same of a tenant that sends its next long request when the last has ended, so that it is gone for a moment.
TEST_F(SchedulerPolicyTest, TenantWithOneRequestAtATimeGetsNoMoreThanOneThatAlwaysWaits) {
  options_.sequences_max = 1;
  options_.aging = {.rank_steps = 100'000, .overdue_steps = 100'000};
  Make();
  std::map<std::string, std::int64_t> served;
  std::map<std::uint64_t, std::string> tenant_of;
  const auto ask = [&](const Asked& what) { tenant_of[Ask(what).value()] = what.tenant; };
  const Asked whole{.prompt_tokens = 24, .tokens_max = 30, .tenant = "long"};
  const Asked brief{.prompt_tokens = 2, .tokens_max = 2, .tenant = "short"};
  for (const Asked& what : {whole, brief, brief, brief}) ask(what);
  while (steps_ < 4'000) {
    const std::size_t ended = answers_.size();
    const Step step = RunStep();
    const std::string tenant = tenant_of.at(step.members.front().value());
    served[tenant] += step.prefill_tokens + 2 * static_cast<std::int64_t>(step.samples.size());
    if (answers_.size() > ended) ask(tenant == "long" ? whole : brief);
  }
  const double ratio = static_cast<double>(served["long"]) / static_cast<double>(served["short"]);
  EXPECT_GT(ratio, 0.8);
  EXPECT_LT(ratio, 1.25);
}

// What a tenant pays for is what steps read for it: not what its neighbour has computed by then, not what was given up
// unread, and not the same rows twice because others took its blocks.
TEST_F(SchedulerPolicyTest, TenantIsChargedForThePromptTokensThatStepsReadForIt) {
  options_.blocks_total = 64;
  options_.prefix_cache = kvcache::SipKey{};
  Make();
  const std::vector<std::int32_t> prompt = RandomPrompt(40);
  for (int i = 0; i < 2; ++i) Ask({.tokens_max = 20, .prompt = prompt});
  std::int64_t charge = 0;
  const auto run = [&] {
    const Step step = RunStep();
    charge += step.prefill_tokens + 2 * static_cast<std::int64_t>(step.samples.size());
  };
  while (scheduler_->counts().prefix_tokens_total == 0) run();
  run();
  EXPECT_LT(charge, 80);
  EXPECT_EQ(scheduler_->ServedForTest("t"), charge);

  options_.prefix_cache = std::nullopt;
  options_.sequences_max = 1;
  options_.step_tokens_max = 4;
  Make();
  const SequenceId given_up = Ask({.prompt_tokens = 40});
  const SequenceId next = Ask({.prompt_tokens = 40, .priority = 2});
  RunStep();
  scheduler_->Remove(given_up);
  EXPECT_EQ(scheduler_->ServedForTest("t"), 4);

  RunStep();
  const SequenceId high = Ask({.prompt_tokens = 2});
  Ask({.priority = 2});  // so that the tenant stays to the end
  while (!answers_.contains(next.value()) && steps_ < 100) RunStep();
  EXPECT_TRUE(answers_.contains(high.value()));
  EXPECT_EQ(scheduler_->counts().preemptions_total, 1);
  EXPECT_EQ(scheduler_->ServedForTest("t"), 4 + (2 + 2) + (40 + 2));
}

TEST_F(SchedulerPolicyTest, ChunksBesideDecodesKeepToTheirRowsAndShortPromptsPassTheLong) {
  options_.blocks_total = 128;
  Make();
  const SequenceId chat = Ask({.prompt_tokens = 2, .tokens_max = 100});
  RunStep();
  scheduler_->SetPrefillRowsMax(8);
  const SequenceId first = Ask({.prompt_tokens = 200, .tokens_max = 2});
  RunStep();
  const SequenceId brief = Ask({.prompt_tokens = 12, .tokens_max = 2});
  Step step = RunStep();
  EXPECT_EQ(step.decode_tokens, 1);
  EXPECT_EQ(step.prefill_tokens, 8);
  EXPECT_EQ(step.members, (std::vector<SequenceId>{chat, brief, first})) << "the oldest keeps its quarter";
  EXPECT_EQ(step.batch.row_begin, (std::vector<std::int32_t>{0, 1, 7, 9}));
  step = RunStep();
  EXPECT_EQ(step.samples, (std::vector<SequenceId>{chat, brief}));
  // With a crowd of short prompts for ever, the long one still gets a quarter of the rows.
  const int steps = StepsUntil(
      [&](const Step& run) {
        while (scheduler_->counts().waiting < 2) Ask({.prompt_tokens = 7, .tokens_max = 1});
        return std::count(run.samples.begin(), run.samples.end(), first) > 0;
      },
      150);
  EXPECT_LE(steps, 100);
}

TEST_F(SchedulerPolicyTest, SwapsWhereThatIsCheaperAndElseComputesAgain) {
  for (const double cost : {0.5, 100.0}) {
    SCOPED_TRACE(cost);
    options_.sequences_max = 1;
    options_.swap_blocks = 8;
    options_.swap_block_cost = cost;
    Make();
    const SequenceId low = Ask({.prompt_tokens = 10, .tokens_max = 6, .priority = 2});
    RunStep();
    RunStep();  // 11 positions computed, in 3 blocks
    const SequenceId high = Ask({.prompt_tokens = 2, .tokens_max = 1});
    const Step out = RunStep();
    EXPECT_EQ(out.members, (std::vector<SequenceId>{high}));
    const Step in = RunStep();
    EXPECT_EQ(in.members, (std::vector<SequenceId>{low}));
    const bool swaps = cost < 1;
    EXPECT_EQ(scheduler_->counts().swaps_total, swaps ? 1 : 0);
    EXPECT_EQ(out.batch.swap_out.size(), swaps ? 3U : 0U);
    EXPECT_EQ(in.batch.swap_in.size(), swaps ? 3U : 0U);
    EXPECT_EQ(in.batch.positions.front(), swaps ? 11 : 0);
    while (!answers_.contains(low.value())) RunStep();
  }
}

TEST_F(SchedulerPolicyTest, BranchesShareTheirPromptAndCopyTheLastBlockOnWrite) {
  Make();
  const SequenceId first = Ask({.prompt_tokens = 10, .tokens_max = 3, .branches = 4});
  EXPECT_EQ(scheduler_->counts().blocks_promised, 3 + 3);
  const Step prefill = RunStep();
  EXPECT_EQ(prefill.members, (std::vector<SequenceId>{first}));
  EXPECT_EQ(prefill.batch.logit_rows, (std::vector<std::int32_t>{9, 9, 9, 9}));
  EXPECT_EQ(scheduler_->counts().running, 4);
  EXPECT_EQ(scheduler_->counts().blocks_free, 16 - 3);
  const Step step = RunStep();
  EXPECT_EQ(step.decode_tokens, 4);
  ASSERT_EQ(step.batch.copies.size(), 3U) << "the last branch writes where the prompt lies";
  for (const kvcache::BlockMove& copy : step.batch.copies) EXPECT_EQ(copy.from, prefill.batch.block_ids.back());
  EXPECT_EQ(scheduler_->counts().blocks_free, 16 - 6);
  EXPECT_EQ(scheduler_->counts().forks_total, 3);
  RunStep();
  EXPECT_EQ(answers_.size(), 4U);
  EXPECT_EQ(scheduler_->counts().blocks_free, 16);
}

TEST_F(SchedulerPolicyTest, ForkWaitsForPlacesForAllOfItsBranches) {
  Make();
  const SequenceId runs = Ask({.prompt_tokens = 2, .tokens_max = 5});
  RunStep();
  const SequenceId fork = Ask({.prompt_tokens = 2, .tokens_max = 2, .branches = 4});
  while (!answers_.contains(runs.value())) EXPECT_FALSE(Started(fork, RunStep()));
  EXPECT_TRUE(Started(fork, RunStep()));
  EXPECT_EQ(
      scheduler_->Enqueue({.id = SequenceId(900), .tenant = "t", .prompt = {1}, .tokens_max = 1, .branches = 5}).code(),
      absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace scheduler
