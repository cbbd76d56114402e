// The sacrificial child as a real process: the worker's binary under the child's name.
#include "services/worker/child_engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <future>
#include <string>
#include <utility>

#include "services/worker/child_main.h"

namespace worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = SoloOutcome::Kind;

ChildOptions EchoChild(int step_ms = 0) {
  const char* folder = std::getenv("MESH_BIN_DIR");
  return {.program = std::string(folder == nullptr ? "build/bin" : folder) + "/worker",
          .arguments = {"--engine=echo", "--echo-step-ms=" + std::to_string(step_ms)}};
}

engine::GenerationRequest Say(const std::string& text) {
  engine::GenerationRequest request;
  request.tenant = "test";
  request.messages = {{.role = engine::Role::kUser, .content = text}};
  return request;
}

SoloOutcome RunOne(ChildEngine& engine, engine::GenerationRequest request) {
  std::promise<SoloOutcome> done;
  engine.Run(std::move(request), [&done](SoloOutcome outcome) { done.set_value(std::move(outcome)); });
  return done.get_future().get();
}

// Children started while this lives have the fault armed.
class ArmedFault {
 public:
  explicit ArmedFault(const char* fault) { setenv("MESH_FAULT", fault, 1); }
  ~ArmedFault() { unsetenv("MESH_FAULT"); }
};

TEST(ChildEngineTest, AnswersOneTurnAfterAnotherAsTheEngineInTheWorkerWould) {
  ChildEngine engine(EchoChild());
  for (const char* text : {"one", "two"}) {
    const SoloOutcome outcome = RunOne(engine, Say(text));
    ASSERT_EQ(outcome.kind, Kind::kAnswered) << outcome.how;
    ASSERT_TRUE(outcome.result.ok()) << outcome.result.status();
    EXPECT_EQ(outcome.result->text, std::string("echo: ") + text);
    EXPECT_EQ(outcome.result->finish_reason, engine::FinishReason::kEndOfTurn);
  }
}

TEST(ChildEngineTest, TheEnginesErrorIsNoDeath) {
  ChildEngine engine(EchoChild());
  engine::GenerationRequest request = Say("hello");
  request.tokens_max = -1;
  const SoloOutcome outcome = RunOne(engine, std::move(request));
  ASSERT_EQ(outcome.kind, Kind::kAnswered) << outcome.how;
  EXPECT_TRUE(absl::IsInvalidArgument(outcome.result.status())) << outcome.result.status();
}

TEST(ChildEngineTest, ATurnThatKillsTheChildHarmsNeitherThisProcessNorTheNextTurn) {
  const ArmedFault fault("worker_engine_step:kill:text=poison");
  ChildEngine engine(EchoChild());
  for (int round = 0; round < 2; ++round) {
    const SoloOutcome died = RunOne(engine, Say("this is poison"));
    EXPECT_EQ(died.kind, Kind::kDied);
    EXPECT_EQ(died.how, "signal 9");
    const SoloOutcome next = RunOne(engine, Say("harmless"));
    ASSERT_EQ(next.kind, Kind::kAnswered) << next.how;
    EXPECT_EQ(next.result->text, "echo: harmless");
  }
}

// Goal: an engine that stands still for good counts as a death, although nothing crashes.
TEST(ChildEngineTest, ATurnThatStopsTheEngineEndsTheChild) {
  const ArmedFault fault("worker_engine_step:delay_ms=600000:text=poison");
  ChildEngine engine(EchoChild());
  const SoloOutcome died = RunOne(engine, Say("poison"));
  EXPECT_EQ(died.kind, Kind::kDied);
  EXPECT_EQ(died.how, "exit code 75");
}

TEST(ChildEngineTest, AChildThatIsFrozenIsKilledWhenTheTimeIsUp) {
  const ArmedFault fault("worker_engine_step:stop:text=poison");
  ChildOptions options = EchoChild();
  options.overtime_max = milliseconds(200);
  ChildEngine engine(std::move(options));
  engine::GenerationRequest request = Say("poison");
  request.deadline = base::Clock::Real().Now() + seconds(1);
  const SoloOutcome outcome = RunOne(engine, std::move(request));
  ASSERT_EQ(outcome.kind, Kind::kAnswered) << outcome.how;
  EXPECT_TRUE(absl::IsDeadlineExceeded(outcome.result.status())) << outcome.result.status();
}

TEST(ChildEngineTest, StopEndsTheTurnThatRuns) {
  ChildEngine engine(EchoChild(/*step_ms=*/1000));
  std::promise<SoloOutcome> done;
  engine.Run(Say("a text of many tokens, each of which takes a second"),
             [&done](SoloOutcome outcome) { done.set_value(std::move(outcome)); });
  auto outcome = done.get_future();
  EXPECT_EQ(outcome.wait_for(milliseconds(300)), std::future_status::timeout);
  engine.Stop();
  ASSERT_EQ(outcome.wait_for(seconds(5)), std::future_status::ready);
  EXPECT_EQ(outcome.get().result->finish_reason, engine::FinishReason::kCancelled);
}

// The worker goes on answering beside it, and a container's quota is less than the machine.
TEST(ChildEngineTest, TakesHalfOfTheCoresThatTheWorkerMayUseOrAsManyThreadsAsTheOptionsSay) {
  Options options;
  EXPECT_EQ(ChildEngineOptions(options, /*usable_cores=*/8).threads, 4);
  EXPECT_EQ(ChildEngineOptions(options, 3).threads, 1);
  EXPECT_EQ(ChildEngineOptions(options, 1).threads, 1);
  EXPECT_EQ(ChildEngineOptions(options, 2000).threads, 256) << "the engine takes no more";
  options.engine.threads = 3;
  EXPECT_EQ(ChildEngineOptions(options, 8).threads, 3);
}

TEST(ChildEngineTest, AProgramThatIsNoneOrEndsAtOnceBlamesNoTurn) {
  ChildEngine missing({.program = "/nowhere/worker", .arguments = {}});
  EXPECT_EQ(RunOne(missing, Say("hello")).kind, Kind::kNotStarted);
  ChildOptions wrong = EchoChild();
  wrong.arguments = {"--engine=llm", "--model=/nowhere/model.gguf"};
  ChildEngine without_model(std::move(wrong));
  const SoloOutcome outcome = RunOne(without_model, Say("hello"));
  EXPECT_EQ(outcome.kind, Kind::kNotStarted);
  EXPECT_NE(outcome.how.find("exit code 1"), std::string::npos) << outcome.how;
}

}  // namespace
}  // namespace worker
