#include "libs/engine/internal/batch_engine.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "tests/libs/engine/result_collector.h"
#include "tests/libs/engine/scripted_model.h"

namespace engine {
namespace {

class BatchEngineTest : public testing::TestWithParam<std::size_t> {
 protected:
  std::unique_ptr<Engine> Make(ScriptedModel::Options model) {
    EngineOptions options;
    options.kv_blocks = model.blocks_total;
    options.block_size = model.block_size;
    options.swap_blocks = model.swap_blocks;
    options.sequences_max = sequences_max_;
    options.queue_max = 1000;
    options.step_tokens_max = sequences_max_ + 3;
    options.on_device_lost = on_device_lost_;
    model.steps_in_flight = GetParam();
    auto engine = BatchEngine::Create(options, std::make_unique<ScriptedModel>(std::move(model)));
    EXPECT_TRUE(engine.ok()) << engine.status();
    return *std::move(engine);
  }

  static std::string RandomPrompt(std::mt19937& rng, std::size_t length_max) {
    std::string prompt(1 + rng() % length_max, 'a');
    for (char& c : prompt) c = static_cast<char>('a' + rng() % ScriptedModel::kVocabulary);
    return prompt;
  }

  std::int32_t sequences_max_ = 4;
  std::function<void(const absl::Status&)> on_device_lost_;
  ResultCollector results_;
};

INSTANTIATE_TEST_SUITE_P(StepsInFlight, BatchEngineTest, testing::Values(1, 2));

// Goal: every answer is what the model would say alone, token for token, whether or not a step is built before the
// tokens of the one before are known, while sequences of all modes join, fork, end, are cancelled and are preempted in
// a pool too small, with and without room to swap. Method: random traffic over a model whose answer depends on every
// token that it read from its blocks.
TEST_P(BatchEngineTest, RandomTrafficGivesEachSequenceItsOwnAnswer) {
  std::int64_t preemptions = 0, swaps = 0, forks = 0;
  int full_answers = 0;
  for (std::uint32_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 rng(seed);
    ResultCollector results;
    sequences_max_ = 1 + static_cast<std::int32_t>(rng() % 5);
    const auto blocks = static_cast<std::int32_t>(8 + rng() % 12);
    auto engine = Make({.blocks_total = blocks,
                        .block_size = 1 + static_cast<std::int32_t>(rng() % 4),
                        .swap_blocks = seed % 2 == 0 ? 10 : 0});
    struct Asked {
      std::string answer;
      bool cancelled;
    };
    std::vector<Asked> asked;
    for (int i = 0; i < 40; ++i) {
      const std::string prompt = RandomPrompt(rng, static_cast<std::size_t>(blocks) / 2);
      const std::int32_t tokens_max = 1 + static_cast<std::int32_t>(rng() % 12);
      GenerationRequest request = Ask(prompt, tokens_max);
      request.tenant = std::string(1, static_cast<char>('a' + rng() % 3));
      request.mode = static_cast<Mode>(rng() % 3);
      if (rng() % 4 == 0) request.branches = 1 + static_cast<std::int32_t>(rng() % sequences_max_);
      const auto id = engine->Submit(request, results.For(static_cast<int>(asked.size())));
      if (id.status().code() == absl::StatusCode::kInvalidArgument) continue;  // longer than the pool
      ASSERT_TRUE(id.ok()) << id.status();
      const std::int32_t room = engine->context_tokens_max() - static_cast<std::int32_t>(prompt.size());
      asked.push_back({ScriptedModel::Answer(prompt, std::min(tokens_max, room)), rng() % 8 == 0});
      if (asked.back().cancelled) engine->Cancel(*id);
    }
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto result = results.Wait(static_cast<int>(i));
      ASSERT_TRUE(result.ok()) << result.status();
      if (result->finish_reason == FinishReason::kCancelled) {
        EXPECT_TRUE(asked[i].cancelled);
        EXPECT_TRUE(asked[i].answer.starts_with(result->text)) << result->text << " of " << asked[i].answer;
      } else {
        EXPECT_EQ(result->text, asked[i].answer) << i;
        for (const BranchResult& branch : result->branches) EXPECT_EQ(branch.text, asked[i].answer) << i;
        const std::size_t branches = std::max<std::size_t>(1, result->branches.size());
        EXPECT_EQ(result->completion_tokens, asked[i].answer.size() * branches);
        ++full_answers;
      }
    }
    preemptions += engine->stats().preemptions_total;
    swaps += engine->stats().swaps_total;
    forks += engine->stats().forks_total;
    EXPECT_EQ(engine->credit().blocks_free, blocks);
  }
  EXPECT_GT(preemptions, 20) << "the pools are meant to be too small";
  EXPECT_GT(swaps, 5);
  EXPECT_GT(forks, 100);
  EXPECT_GT(full_answers, 500);
}

// A step that fails takes its own sequences with it and no others; what runs beside it stays right.
TEST_P(BatchEngineTest, FailedStepFailsItsSequencesAloneWhereverItFails) {
  for (int when : {0, 1}) {
    std::mt19937 rng(7);
    ResultCollector results;
    auto engine = Make({.blocks_total = 24, .block_size = 2, .fault = [when](std::uint64_t step, int at) {
                          return step % 9 == 5 && at == when ? absl::InternalError("injected") : absl::OkStatus();
                        }});
    std::vector<std::string> prompts;
    int failed = 0;
    for (int i = 0; i < 60; ++i) {
      prompts.push_back(RandomPrompt(rng, 9));
      GenerationRequest request = Ask(prompts.back(), 6);
      request.branches = 1 + i % 3;
      ASSERT_TRUE(engine->Submit(request, results.For(i)).ok());
    }
    for (int i = 0; i < 60; ++i) {
      const auto result = results.Wait(i);
      if (result.ok()) {
        EXPECT_EQ(result->text, ScriptedModel::Answer(prompts[static_cast<std::size_t>(i)], 6));
        for (const BranchResult& branch : result->branches) {
          EXPECT_EQ(branch.text, branch.status.ok() ? result->text : "");
        }
      } else {
        EXPECT_EQ(result.status().message(), "injected");
        ++failed;
      }
    }
    EXPECT_GT(failed, 0);
    EXPECT_LT(failed, 60);
    EXPECT_EQ(engine->credit().blocks_free, 24);
  }
}

// Who ends the process in the callback must do so before any turn is told that it failed, or it would be given up.
TEST_P(BatchEngineTest, LostDeviceIsToldBeforeAnySequenceHearsOfIt) {
  std::atomic<int> told{0};
  std::atomic<std::size_t> results_before{99};
  on_device_lost_ = [&](const absl::Status& status) {
    EXPECT_EQ(status.message(), "the card is gone");
    if (told++ == 0) results_before = results_.size();
  };
  auto engine =
      Make({.fault = [](std::uint64_t step,
                        int) { return step >= 2 ? absl::InternalError("the card is gone") : absl::OkStatus(); },
            .lost_after_fault = true});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine->Submit(Ask("abcdefghi", 3), results_.For(i)).ok());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(results_.Wait(i).status().code(), absl::StatusCode::kInternal);
  EXPECT_GE(told, 1);
  EXPECT_EQ(results_before, 0u);
}

// A step of a large model on few cores takes longer than the engine may stand still.
TEST_P(BatchEngineTest, StepThatMakesProgressKeepsTheEngineAlive) {
  const BatchEngine* running = nullptr;
  std::atomic<int> steps{0}, ticks{0};
  auto engine = Make({.while_running = [&](const std::function<void()>& tell_progress) {
    ++steps;
    const base::MonotonicTime before = running->last_tick();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    tell_progress();
    ticks += running->last_tick() > before ? 1 : 0;
  }});
  running = static_cast<const BatchEngine*>(engine.get());
  ASSERT_TRUE(engine->Submit(Ask("abcdefghi", 3), results_.For(1)).ok());
  ASSERT_TRUE(results_.Wait(1).ok());
  EXPECT_GT(steps, 0);
  EXPECT_EQ(ticks, steps.load());
}

TEST_P(BatchEngineTest, StoppedWithStepsInFlightCancelsEverySequence) {
  auto engine = Make({.blocks_total = 200});
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(engine->Submit(Ask("abc", 500), results_.For(i)).ok());
  engine.reset();
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(results_.Wait(i).ok()) << results_.Wait(i).status();
}

}  // namespace
}  // namespace engine
