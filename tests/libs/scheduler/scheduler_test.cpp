#include "libs/scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <chrono>
#include <numeric>

namespace scheduler {
namespace {

SchedulerOptions SmallOptions() {
  return {.blocks_total = 8, .block_size = 4, .sequences_max = 4, .queue_max = 8, .step_tokens_max = 8};
}

std::unique_ptr<Scheduler> MakeScheduler(const SchedulerOptions& options) {
  auto scheduler = Scheduler::Create(options);
  EXPECT_TRUE(scheduler.ok()) << scheduler.status();
  return *std::move(scheduler);
}

NewSequence Make(std::uint64_t id, std::int32_t prompt_tokens, std::int32_t tokens_max, std::string tenant = "t") {
  NewSequence sequence{.id = SequenceId(id), .tenant = std::move(tenant), .prompt = {}, .tokens_max = tokens_max};
  sequence.prompt.resize(static_cast<std::size_t>(prompt_tokens));
  std::iota(sequence.prompt.begin(), sequence.prompt.end(), static_cast<std::int32_t>(id) * 1000);
  return sequence;
}

// Runs one step and gives each sample the token 7.
Step RunStep(Scheduler& scheduler) {
  Step step = scheduler.BuildStep();
  if (step.batch.rows() == 0) return step;
  scheduler.CompleteStep();
  for (SequenceId id : step.samples) scheduler.AppendToken(id, 7);
  scheduler.CheckInvariantsForTest();
  return step;
}

TEST(SchedulerTest, PromptIsCutIntoChunksOfTheTokenBudgetAndOnlyTheLastRowSamples) {
  auto scheduler = MakeScheduler(SmallOptions());
  ASSERT_TRUE(scheduler->Enqueue(Make(1, /*prompt_tokens=*/13, /*tokens_max=*/4)).ok());
  const Step first = RunStep(*scheduler);
  EXPECT_EQ(first.batch.positions, (std::vector<std::int32_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_EQ(first.batch.block_ids.size(), 2u);
  EXPECT_EQ(first.started, (std::vector<SequenceId>{SequenceId(1)}));
  EXPECT_TRUE(first.samples.empty());
  const Step second = RunStep(*scheduler);
  EXPECT_EQ(second.batch.token_ids, (std::vector<std::int32_t>{1008, 1009, 1010, 1011, 1012}));
  EXPECT_EQ(second.batch.block_ids.size(), 4u);
  EXPECT_EQ(second.batch.logit_rows, (std::vector<std::int32_t>{4}));
  EXPECT_TRUE(second.started.empty());
  const Step third = RunStep(*scheduler);
  EXPECT_EQ(third.batch.token_ids, (std::vector<std::int32_t>{7}));
  EXPECT_EQ(third.batch.positions, (std::vector<std::int32_t>{13}));
  EXPECT_EQ(third.decode_tokens, 1);
}

TEST(SchedulerTest, DecodesGoOnWhileAnotherPromptIsPrefilled) {
  auto scheduler = MakeScheduler(SmallOptions());
  ASSERT_TRUE(scheduler->Enqueue(Make(1, 2, 8)).ok());
  RunStep(*scheduler);
  ASSERT_TRUE(scheduler->Enqueue(Make(2, 12, 2)).ok());
  const Step mixed = RunStep(*scheduler);
  EXPECT_EQ(mixed.decode_tokens, 1);
  EXPECT_EQ(mixed.prefill_tokens, 7);
  EXPECT_EQ(mixed.batch.row_begin, (std::vector<std::int32_t>{0, 1, 8}));
  EXPECT_EQ(mixed.samples, (std::vector<SequenceId>{SequenceId(1)}));
}

TEST(SchedulerTest, TenantsAreAdmittedInTurn) {
  SchedulerOptions options = SmallOptions();
  options.sequences_max = 2;
  auto scheduler = MakeScheduler(options);
  for (std::uint64_t id = 1; id <= 5; ++id) ASSERT_TRUE(scheduler->Enqueue(Make(id, 1, 1, "greedy")).ok());
  ASSERT_TRUE(scheduler->Enqueue(Make(6, 1, 1, "modest")).ok());
  EXPECT_EQ(RunStep(*scheduler).started, (std::vector<SequenceId>{SequenceId(1), SequenceId(6)}));
}

TEST(SchedulerTest, QueueHasAMaximumAndSaysSo) {
  auto scheduler = MakeScheduler(SmallOptions());
  for (std::uint64_t id = 1; id <= 8; ++id) ASSERT_TRUE(scheduler->Enqueue(Make(id, 1, 1)).ok());
  EXPECT_EQ(scheduler->Enqueue(Make(9, 1, 1)).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(scheduler->counts().waiting, 8);
}

TEST(SchedulerTest, WhatCannotFitAloneIsRefusedAtOnce) {
  auto scheduler = MakeScheduler(SmallOptions());  // 32 tokens
  const absl::Status status = scheduler->Enqueue(Make(1, 30, 3));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("33 tokens"), std::string_view::npos) << status;
  EXPECT_TRUE(scheduler->Enqueue(Make(1, 30, 2)).ok());
  EXPECT_EQ(scheduler->Enqueue(Make(1, 1, 1)).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(scheduler->Enqueue(Make(2, 0, 1)).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(scheduler->Enqueue(Make(2, 1, 0)).code(), absl::StatusCode::kInvalidArgument);
}

TEST(SchedulerTest, OptionsOutOfBoundsAreNamed) {
  SchedulerOptions options = SmallOptions();
  options.step_tokens_max = 3;  // fewer than sequences_max
  EXPECT_NE(Scheduler::Create(options).status().message().find("step_tokens_max"), std::string_view::npos);
  options = SmallOptions();
  options.blocks_total = 0;
  EXPECT_NE(Scheduler::Create(options).status().message().find("kv_blocks"), std::string_view::npos);
}

TEST(SchedulerTest, DeadlineCountsOnlyBeforeTheFirstStep) {
  const base::MonotonicTime deadline{std::chrono::seconds(50)};
  SchedulerOptions options = SmallOptions();
  options.sequences_max = 1;
  auto scheduler = MakeScheduler(options);
  NewSequence first = Make(1, 1, 8), second = Make(2, 1, 1);
  first.deadline = second.deadline = deadline;
  ASSERT_TRUE(scheduler->Enqueue(std::move(first)).ok());
  ASSERT_TRUE(scheduler->Enqueue(std::move(second)).ok());
  RunStep(*scheduler);
  EXPECT_TRUE(scheduler->TakeExpired(deadline - std::chrono::seconds(1)).empty());
  EXPECT_EQ(scheduler->TakeExpired(deadline), (std::vector<SequenceId>{SequenceId(2)}));
  EXPECT_EQ(RunStep(*scheduler).members, (std::vector<SequenceId>{SequenceId(1)}));
  EXPECT_FALSE(scheduler->Remove(SequenceId(2)));
}

TEST(SchedulerTest, CancelledSequenceFreesItsBlocksBetweenSteps) {
  auto scheduler = MakeScheduler(SmallOptions());
  ASSERT_TRUE(scheduler->Enqueue(Make(1, 12, 4)).ok());
  RunStep(*scheduler);  // inside its prefill
  EXPECT_EQ(scheduler->counts().blocks_free, 5);
  EXPECT_TRUE(scheduler->Remove(SequenceId(1)));
  EXPECT_EQ(scheduler->counts().blocks_free, 8);
  EXPECT_EQ(RunStep(*scheduler).batch.rows(), 0);
}

TEST(SchedulerTest, PromisedBlocksAreThoseThatWaitingPromptsNeed) {
  SchedulerOptions options = SmallOptions();
  options.sequences_max = 1;
  auto scheduler = MakeScheduler(options);
  ASSERT_TRUE(scheduler->Enqueue(Make(1, 5, 1)).ok());
  ASSERT_TRUE(scheduler->Enqueue(Make(2, 9, 1)).ok());
  EXPECT_EQ(scheduler->counts().blocks_promised, 5);
  RunStep(*scheduler);
  EXPECT_EQ(scheduler->counts().blocks_promised, 3);
  EXPECT_EQ(scheduler->counts().blocks_free, 6);
}

// Two sequences that together outgrow the pool: the younger gives its blocks back and later recomputes prompt and
// generated tokens alike.
TEST(SchedulerTest, YoungestIsPreemptedAndResumesWithTheSameTokens) {
  SchedulerOptions options = SmallOptions();
  options.blocks_total = 5;
  options.prefix_cache.reset();
  auto scheduler = MakeScheduler(options);
  ASSERT_TRUE(scheduler->Enqueue(Make(1, 4, 12)).ok());
  ASSERT_TRUE(scheduler->Enqueue(Make(2, 4, 12)).ok());
  std::int32_t steps = 0;
  while (scheduler->counts().preemptions_total == 0) {
    ASSERT_LT(++steps, 20);
    RunStep(*scheduler);
  }
  EXPECT_EQ(scheduler->counts().preempted, 1);
  std::int32_t oldest_generated = steps;
  while (oldest_generated < 12) {  // the oldest goes on undisturbed
    EXPECT_EQ(RunStep(*scheduler).members, (std::vector<SequenceId>{SequenceId(1)}));
    ++oldest_generated;
  }
  ASSERT_TRUE(scheduler->Remove(SequenceId(1)));
  const Step resumed = scheduler->BuildStep();
  ASSERT_EQ(resumed.members, (std::vector<SequenceId>{SequenceId(2)}));
  EXPECT_TRUE(resumed.started.empty());
  EXPECT_EQ(resumed.batch.positions.front(), 0);
  EXPECT_EQ(resumed.batch.token_ids[0], 2000);
  EXPECT_EQ(resumed.batch.token_ids[4], 7);
}

TEST(SchedulerTest, ASecondTurnStartsBehindTheBlocksOfPromptAndAnswer) {
  auto scheduler = MakeScheduler(SmallOptions());
  ASSERT_TRUE(scheduler->Enqueue(Make(1, 6, 3)).ok());
  for (int i = 0; i < 3; ++i) RunStep(*scheduler);  // 8 of 9 tokens computed: two blocks
  ASSERT_TRUE(scheduler->Remove(SequenceId(1)));
  EXPECT_EQ(scheduler->counts().blocks_free, 8) << "what only the cache holds is free for the asking";
  NewSequence second = Make(1, 6, 2);
  second.id = SequenceId(2);
  for (std::int32_t token : {7, 7, 7, 5}) second.prompt.push_back(token);
  NewSequence stranger = second;
  stranger.id = SequenceId(3);
  stranger.tenant = "other";
  ASSERT_TRUE(scheduler->Enqueue(std::move(second)).ok());
  EXPECT_EQ(RunStep(*scheduler).batch.positions, (std::vector<std::int32_t>{8, 9}));
  EXPECT_EQ(scheduler->CachedTokens(SequenceId(2)), 8);
  EXPECT_EQ(scheduler->counts().prefix_tokens_total, 8);
  ASSERT_TRUE(scheduler->Remove(SequenceId(2)));
  ASSERT_TRUE(scheduler->Enqueue(std::move(stranger)).ok());
  EXPECT_EQ(RunStep(*scheduler).batch.positions.front(), 0) << "tenants never share";
}

TEST(SchedulerTest, EqualPromptsSideBySideAreComputedOnce) {
  auto scheduler = MakeScheduler(SmallOptions());
  NewSequence first = Make(1, 9, 4), second = Make(1, 10, 4);
  second.id = SequenceId(2);
  ASSERT_TRUE(scheduler->Enqueue(std::move(first)).ok());
  ASSERT_TRUE(scheduler->Enqueue(std::move(second)).ok());
  EXPECT_EQ(RunStep(*scheduler).members, (std::vector<SequenceId>{SequenceId(1)}));
  const Step step = RunStep(*scheduler);
  EXPECT_EQ(step.batch.positions, (std::vector<std::int32_t>{8, 8, 9}));
  EXPECT_EQ(scheduler->counts().blocks_free, 4) << "two blocks shared, and one each";
}

TEST(SchedulerTest, WhatAFailedStepComputedIsNeverFound) {
  auto scheduler = MakeScheduler(SmallOptions());
  ASSERT_TRUE(scheduler->Enqueue(Make(1, 8, 4)).ok());
  scheduler->BuildStep();
  scheduler->CompleteStep();
  ASSERT_TRUE(scheduler->Discard(SequenceId(1)));
  NewSequence again = Make(1, 8, 4);
  again.id = SequenceId(2);
  ASSERT_TRUE(scheduler->Enqueue(std::move(again)).ok());
  EXPECT_EQ(RunStep(*scheduler).batch.positions.front(), 0);
}

// A step that is planned while the one before still runs names the missing tokens by their samples.
TEST(SchedulerTest, ExpectedTokensAreNamedBySampleAndResolvedInOrder) {
  auto scheduler = MakeScheduler(SmallOptions());
  ASSERT_TRUE(scheduler->Enqueue(Make(1, 2, 3)).ok());
  ASSERT_TRUE(scheduler->Enqueue(Make(2, 2, 9)).ok());
  const auto start = [&] {
    Step step = scheduler->BuildStep();
    scheduler->CompleteStep();
    for (std::size_t i = 0; i < step.samples.size(); ++i) {
      scheduler->ExpectToken(step.samples[i], static_cast<std::int32_t>(i));
    }
    return step;
  };
  start();
  EXPECT_EQ(start().batch.token_ids, (std::vector<std::int32_t>{-1, -2}));
  scheduler->ResolveToken(SequenceId(1), 70);
  scheduler->ResolveToken(SequenceId(2), 80);
  EXPECT_EQ(start().batch.token_ids, (std::vector<std::int32_t>{-1, -2}));
  scheduler->ResolveToken(SequenceId(1), 71);
  scheduler->ResolveToken(SequenceId(2), 81);
  // The third and last token of sequence 1 is on its way: nothing is left to compute for it.
  EXPECT_EQ(start().members, (std::vector<SequenceId>{SequenceId(2)}));
  ASSERT_TRUE(scheduler->Remove(SequenceId(1)));
  scheduler->ResolveToken(SequenceId(2), 82);
  EXPECT_EQ(start().batch.token_ids, (std::vector<std::int32_t>{-1}));
  scheduler->CheckInvariantsForTest();
}

TEST(SchedulerTest, ForgettingToAnswerASampleIsABug) {
  auto scheduler = MakeScheduler(SmallOptions());
  ASSERT_TRUE(scheduler->Enqueue(Make(1, 1, 4)).ok());
  scheduler->BuildStep();
  scheduler->CompleteStep();
  EXPECT_DEATH(scheduler->BuildStep(), "got its token");
}

}  // namespace
}  // namespace scheduler
