#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "libs/engine/make_engine.h"
#include "tests/integration/harness/wait.h"
#include "tests/libs/engine/result_collector.h"

namespace engine {
namespace {

using std::chrono::milliseconds;

EngineOptions EchoOptions() {
  EngineOptions options;
  options.kind = EngineKind::kEcho;
  options.kv_blocks = 64;
  options.sequences_max = 4;
  options.queue_max = 60;
  options.step_tokens_max = 32;
  return options;
}

std::unique_ptr<Engine> Make(const EngineOptions& options) {
  auto engine = MakeEngine(options);
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

// The engine must outlive the wait, the collector the engine: callbacks may come until the destructor returns.
class EchoEngineTest : public testing::Test {
 protected:
  ResultCollector results_;
};

TEST_F(EchoEngineTest, AnswersWithTheLastUserMessage) {
  auto engine = Make(EchoOptions());
  GenerationRequest request = Ask("first");
  request.messages.push_back({Role::kAssistant, "echo: first"});
  request.messages.push_back({Role::kUser, "second, größer 🙂"});
  ASSERT_TRUE(engine->Submit(request, results_.For(1)).ok());
  auto result = results_.Wait(1);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->text, "echo: second, größer 🙂");
  EXPECT_EQ(result->finish_reason, FinishReason::kEndOfTurn);
  EXPECT_EQ(result->prompt_tokens, 2 + 3 + 4);
  EXPECT_EQ(result->completion_tokens, 6);  // 22 code points, 4 a token
  EXPECT_GE(result->ttft, result->queue_time);
}

TEST_F(EchoEngineTest, ALongAnswerTakesNoMoreThanItsSteps) {
  EngineOptions options = EchoOptions();
  options.echo_steps_max = 5;
  auto engine = Make(options);
  const std::string text(94, 'x');
  ASSERT_TRUE(engine->Submit(Ask(text), results_.For(1)).ok());
  const auto result = results_.Wait(1);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->text, "echo: " + text);
  EXPECT_EQ(result->completion_tokens, 5);
}

TEST_F(EchoEngineTest, WatcherSeesTheAnswerGrowTokenByTokenUpToTheStopText) {
  auto engine = Make(EchoOptions());
  std::vector<std::string> seen;
  GenerationRequest request = Ask("one two three");
  request.stop = {"two"};
  request.on_token = [&seen](std::string_view text) { seen.emplace_back(text); };
  ASSERT_TRUE(engine->Submit(request, results_.For(1)).ok());
  EXPECT_EQ(results_.Wait(1)->text, "echo: one ");
  // Four code points a token: "echo", ": on", "e tw" (of which "tw" may yet be "two"), "o th".
  EXPECT_EQ(seen, (std::vector<std::string>{"echo", "echo: on", "echo: one ", "echo: one "}));
}

TEST_F(EchoEngineTest, TokensMaxAndStopStringsEndTheAnswer) {
  auto engine = Make(EchoOptions());
  ASSERT_TRUE(engine->Submit(Ask("abcdefgh", /*tokens_max=*/2), results_.For(1)).ok());
  GenerationRequest request = Ask("one two three");
  request.stop = {"two"};
  ASSERT_TRUE(engine->Submit(request, results_.For(2)).ok());
  EXPECT_EQ(results_.Wait(1)->text, "echo: ab");
  EXPECT_EQ(results_.Wait(1)->finish_reason, FinishReason::kLength);
  EXPECT_EQ(results_.Wait(2)->text, "echo: one ");
  EXPECT_EQ(results_.Wait(2)->finish_reason, FinishReason::kStopString);
}

TEST_F(EchoEngineTest, InvalidUtf8ComesBackRepaired) {
  auto engine = Make(EchoOptions());
  ASSERT_TRUE(engine->Submit(Ask("a\xff\xfe z"), results_.For(1)).ok());
  EXPECT_EQ(results_.Wait(1)->text, "echo: a\xEF\xBF\xBD\xEF\xBF\xBD z");
}

// More work than blocks: the pool holds 32 tokens while 12 sequences of up to 17 tokens want to run.
TEST_F(EchoEngineTest, PoolFarTooSmallForTheLoadStillAnswersEachCorrectly) {
  EngineOptions options = EchoOptions();
  options.kv_blocks = 8;
  options.block_size = 4;
  auto engine = Make(options);
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(
        engine->Submit(Ask("message number " + std::to_string(100 + i) + " of many words", 20), results_.For(i)).ok());
  }
  for (int i = 0; i < 12; ++i) {
    auto result = results_.Wait(i);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->text, "echo: message number " + std::to_string(100 + i) + " of many words");
  }
  EXPECT_GT(engine->stats().preemptions_total, 0);
  EXPECT_EQ(engine->credit().blocks_free, 8);
}

TEST_F(EchoEngineTest, ManyThreadsSubmitAndEachGetsItsOwnAnswer) {
  auto engine = Make(EchoOptions());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 16; ++i) {
        const int key = t * 100 + i;
        GenerationRequest request = Ask("key " + std::to_string(key));
        request.tenant = "tenant " + std::to_string(t);
        EXPECT_TRUE(engine->Submit(std::move(request), results_.For(key)).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int t = 0; t < 4; ++t) {
    for (int i = 0; i < 16; ++i) {
      const int key = t * 100 + i;
      EXPECT_EQ(results_.Wait(key)->text, "echo: key " + std::to_string(key));
    }
  }
  EXPECT_EQ(engine->stats().sequences_done_total, 64);
}

TEST_F(EchoEngineTest, FullQueueIsRetryableAndHasRoomAgainLater) {
  EngineOptions options = EchoOptions();
  options.sequences_max = 1;
  options.queue_max = 2;
  options.echo_step_time = milliseconds(5);
  auto engine = Make(options);
  EXPECT_EQ(engine->credit().sequences_free, 3);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine->Submit(Ask(std::string(200, 'x')), results_.For(i)).ok());
  EXPECT_EQ(engine->credit().sequences_free, 0);
  EXPECT_EQ(engine->Submit(Ask("late"), results_.For(9)).status().code(), absl::StatusCode::kResourceExhausted);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(results_.Wait(i).ok());
  EXPECT_EQ(engine->credit().sequences_free, 3);
  ASSERT_TRUE(engine->Submit(Ask("late"), results_.For(10)).ok());
  EXPECT_EQ(results_.Wait(10)->text, "echo: late");
  EXPECT_EQ(results_.size(), 4u) << "a refused submission has no callback";
}

TEST_F(EchoEngineTest, CreditCountsBlocksPromisedToWaitingSequencesAtOnce) {
  EngineOptions options = EchoOptions();
  options.sequences_max = 1;
  options.echo_step_time = milliseconds(20);
  auto engine = Make(options);
  EXPECT_EQ(engine->credit().blocks_free, 64);
  EXPECT_EQ(engine->credit().block_size, 16);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(engine->Submit(Ask(std::string(40 * 4, 'x')), results_.For(i)).ok());
  EXPECT_LE(engine->credit().blocks_free, 64 - 3 * 3);  // 40 tokens are 3 blocks
}

TEST_F(EchoEngineTest, CancelGivesTheTextSoFarAndUnknownIdsAreIgnored) {
  EngineOptions options = EchoOptions();
  options.echo_step_time = milliseconds(2);
  auto engine = Make(options);
  engine->Cancel(SequenceId(12345));
  const std::string question(1600, 'x');  // 400 steps
  const auto id = engine->Submit(Ask(question, /*tokens_max=*/1000), results_.For(1));
  ASSERT_TRUE(id.ok()) << id.status();
  ASSERT_TRUE(harness::WaitUntil([&] { return engine->stats().decode_tokens_total >= 3; }));
  engine->Cancel(*id);
  engine->Cancel(*id);
  const auto result = results_.Wait(1);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->finish_reason, FinishReason::kCancelled);
  EXPECT_TRUE(("echo: " + question).starts_with(result->text));
  EXPECT_GE(result->text.size(), 8u);
  EXPECT_LT(result->text.size(), question.size());
  EXPECT_EQ(engine->credit().blocks_free, 64);
}

TEST_F(EchoEngineTest, DeadlineInThePastIsToldBeforeAnyStep) {
  auto engine = Make(EchoOptions());
  GenerationRequest request = Ask("too late");
  request.deadline = base::Clock::Real().Now() - milliseconds(1);
  ASSERT_TRUE(engine->Submit(request, results_.For(1)).ok());
  EXPECT_EQ(results_.Wait(1).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(engine->stats().steps_total, 0);
  EXPECT_EQ(engine->stats().sequences_failed_total, 1);
}

// Between two steps, and without a loss to the sequence beside it.
TEST_F(EchoEngineTest, AnAnswerOverItsDeadlineEndsWithWhatItHas) {
  EngineOptions options = EchoOptions();
  options.echo_step_time = milliseconds(10);
  auto engine = Make(options);
  const std::string text(400, 'x');  // 102 steps, a second
  GenerationRequest late = Ask(text);
  late.deadline = base::Clock::Real().Now() + milliseconds(300);
  ASSERT_TRUE(engine->Submit(late, results_.For(1)).ok());
  ASSERT_TRUE(engine->Submit(Ask(text), results_.For(2)).ok());
  const auto cut = results_.Wait(1);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->finish_reason, FinishReason::kDeadline);
  EXPECT_FALSE(cut->text.empty());
  EXPECT_LT(cut->text.size(), text.size());
  EXPECT_EQ(("echo: " + text).substr(0, cut->text.size()), cut->text);
  const auto whole = results_.Wait(2);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->text, "echo: " + text);
}

// What is held back as the beginning of a stop text was said, too.
TEST_F(EchoEngineTest, AnAnswerOverItsDeadlineThatIsAllHeldBackEndsWithWhatItHas) {
  EngineOptions options = EchoOptions();
  options.echo_step_time = milliseconds(10);
  auto engine = Make(options);
  const std::string text(240, 'x');  // 62 steps
  GenerationRequest late = Ask(text);
  late.stop = {"echo: " + text + "y"};
  late.deadline = base::Clock::Real().Now() + milliseconds(300);
  ASSERT_TRUE(engine->Submit(late, results_.For(1)).ok());
  const auto cut = results_.Wait(1);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->finish_reason, FinishReason::kDeadline);
  EXPECT_TRUE(("echo: " + text).starts_with(cut->text)) << cut->text;
  EXPECT_LT(cut->text.size(), text.size());
}

TEST_F(EchoEngineTest, ADeadlineThatPassesBeforeTheFirstWordIsAFailure) {
  EngineOptions options = EchoOptions();
  options.echo_step_time = milliseconds(50);
  auto engine = Make(options);
  GenerationRequest request = Ask(std::string(2000, 'x'));  // 500 tokens, 16 steps of prefill
  request.deadline = base::Clock::Real().Now() + milliseconds(200);
  ASSERT_TRUE(engine->Submit(request, results_.For(1)).ok());
  EXPECT_EQ(results_.Wait(1).status().code(), absl::StatusCode::kDeadlineExceeded);
  ASSERT_TRUE(engine->Submit(Ask("and on"), results_.For(2)).ok());
  EXPECT_TRUE(results_.Wait(2).ok()) << "its blocks are free again";
}

TEST_F(EchoEngineTest, DestructorCancelsWhatRunsAndWhatWaits) {
  EngineOptions options = EchoOptions();
  options.sequences_max = 1;
  options.echo_step_time = milliseconds(1);
  auto engine = Make(options);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(engine->Submit(Ask(std::string(1000, 'x')), results_.For(i)).ok());
  engine.reset();
  EXPECT_EQ(results_.size(), 10u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(results_.Wait(i)->finish_reason, FinishReason::kCancelled);
}

TEST_F(EchoEngineTest, IdleEngineIsAlive) {
  auto engine = Make(EchoOptions());
  EXPECT_TRUE(engine->alive());
  EXPECT_EQ(engine->model_name(), "echo");
  EXPECT_EQ(engine->context_tokens_max(), 1024);
  EXPECT_EQ(engine->CountTokens("größer"), 2);
}

struct BadField {
  const char* field;
  void (*spoil)(GenerationRequest&);
};

// Every numeric field at its edges and beyond, and each list too long, too short or impossible.
const BadField kBadFields[] = {
    {"tokens_max", [](GenerationRequest& r) { r.tokens_max = 0; }},
    {"tokens_max", [](GenerationRequest& r) { r.tokens_max = -1; }},
    {"tokens_max", [](GenerationRequest& r) { r.tokens_max = std::numeric_limits<std::int32_t>::max(); }},
    {"tokens_max", [](GenerationRequest& r) { r.tokens_max = std::numeric_limits<std::int32_t>::min(); }},
    {"sampling.temperature", [](GenerationRequest& r) { r.sampling.temperature = -0.1F; }},
    {"sampling.temperature", [](GenerationRequest& r) { r.sampling.temperature = std::nanf(""); }},
    {"sampling.temperature", [](GenerationRequest& r) { r.sampling.temperature = INFINITY; }},
    {"sampling.top_k", [](GenerationRequest& r) { r.sampling.top_k = -1; }},
    {"sampling.top_k", [](GenerationRequest& r) { r.sampling.top_k = std::numeric_limits<std::int32_t>::max(); }},
    {"sampling.top_p", [](GenerationRequest& r) { r.sampling.top_p = 0.0F; }},
    {"sampling.top_p", [](GenerationRequest& r) { r.sampling.top_p = 1.01F; }},
    {"sampling.top_p", [](GenerationRequest& r) { r.sampling.top_p = std::nanf(""); }},
    {"sampling.min_p", [](GenerationRequest& r) { r.sampling.min_p = 1.0F; }},
    {"sampling.min_p", [](GenerationRequest& r) { r.sampling.min_p = -INFINITY; }},
    {"sampling.min_p", [](GenerationRequest& r) { r.sampling.min_p = std::nanf(""); }},
    {"sampling.repetition_penalty", [](GenerationRequest& r) { r.sampling.repetition_penalty = 0.0F; }},
    {"sampling.repetition_penalty", [](GenerationRequest& r) { r.sampling.repetition_penalty = std::nanf(""); }},
    {"sampling.repetition_penalty", [](GenerationRequest& r) { r.sampling.repetition_penalty = INFINITY; }},
    {"messages", [](GenerationRequest& r) { r.messages.clear(); }},
    {"messages", [](GenerationRequest& r) { r.messages.back().content.clear(); }},
    {"messages", [](GenerationRequest& r) { r.messages.resize(5000, r.messages.back()); }},
    {"messages", [](GenerationRequest& r) { r.messages.back().content.assign(1 << 20, 'x'); }},
    {"role", [](GenerationRequest& r) { r.messages.back().role = static_cast<Role>(9); }},
    {"mode", [](GenerationRequest& r) { r.mode = static_cast<Mode>(-1); }},
    {"tenant", [](GenerationRequest& r) { r.tenant.assign(257, 't'); }},
    {"stop", [](GenerationRequest& r) { r.stop.assign(17, "s"); }},
    {"stop[1]",
     [](GenerationRequest& r) {
       r.stop = {"s", ""};
     }},
    {"stop[0]", [](GenerationRequest& r) { r.stop = {std::string(257, 's')}; }},
    {"stop[0]", [](GenerationRequest& r) { r.stop = {"\xff"}; }},
};

TEST_F(EchoEngineTest, BadFieldsAreRefusedByName) {
  auto engine = Make(EchoOptions());
  for (const BadField& bad : kBadFields) {
    GenerationRequest request = Ask("fine");
    bad.spoil(request);
    const absl::Status status = engine->Submit(std::move(request), results_.For(1)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.field;
    EXPECT_NE(std::string(status.message()).find(bad.field), std::string::npos) << bad.field << ": " << status;
  }
  EXPECT_EQ(results_.size(), 0u);
}

TEST_F(EchoEngineTest, BoundaryValuesAreAccepted) {
  auto engine = Make(EchoOptions());
  GenerationRequest request = Ask("fine", /*tokens_max=*/1024);
  request.sampling = {.temperature = 10.0F,
                      .top_k = 1 << 16,
                      .top_p = 1.0F,
                      .min_p = 0.0F,
                      .repetition_penalty = 10.0F,
                      .seed = std::numeric_limits<std::uint64_t>::max()};
  request.stop.assign(16, std::string(256, 's'));
  ASSERT_TRUE(engine->Submit(std::move(request), results_.For(1)).ok());
  EXPECT_EQ(results_.Wait(1)->text, "echo: fine");
}

TEST_F(EchoEngineTest, PromptAtTheContextIsRefusedWithTheNumbers) {
  auto engine = Make(EchoOptions());  // 1024 tokens
  const absl::Status status = engine->Submit(Ask(std::string(4 * 1024, 'x')), results_.For(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(status.message()).find("1024 tokens"), std::string::npos) << status;
  // One token less leaves room for an answer of one token, whatever tokens_max says.
  ASSERT_TRUE(engine->Submit(Ask(std::string(4 * 1023, 'x'), 500), results_.For(2)).ok());
  EXPECT_EQ(results_.Wait(2)->completion_tokens, 1);
  EXPECT_EQ(results_.Wait(2)->finish_reason, FinishReason::kLength);
}

TEST(MakeEngineTest, ZeroTakesADefaultThatFitsTheOtherOptions) {
  EngineOptions options = EchoOptions();
  options.sequences_max = options.step_tokens_max = 0;
  EXPECT_TRUE(MakeEngine(options).ok());
  options.sequences_max = 300;  // more than the default of step_tokens_max
  EXPECT_TRUE(MakeEngine(options).ok());
}

TEST(MakeEngineTest, OptionsOutOfBoundsAreNamed) {
  const auto message_with = [](void (*spoil)(EngineOptions&)) {
    EngineOptions options = EchoOptions();
    spoil(options);
    const absl::Status status = MakeEngine(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  };
  EXPECT_NE(message_with([](EngineOptions& o) { o.kv_blocks = -1; }).find("kv_blocks"), std::string::npos);
  EXPECT_NE(message_with([](EngineOptions& o) { o.block_size = -1; }).find("block_size"), std::string::npos);
  EXPECT_NE(message_with([](EngineOptions& o) { o.sequences_max = -1; }).find("sequences_max"), std::string::npos);
  EXPECT_NE(message_with([](EngineOptions& o) { o.queue_max = -1; }).find("queue_max"), std::string::npos);
  EXPECT_NE(message_with([](EngineOptions& o) { o.step_tokens_max = 3; }).find("step_tokens_max"), std::string::npos);
  EXPECT_NE(message_with([](EngineOptions& o) { o.context_tokens_max = 1; }).find("context"), std::string::npos)
      << "every prompt would be refused";
  EXPECT_NE(message_with([](EngineOptions& o) { o.context_tokens_max = 1025; }).find("context"), std::string::npos);
  EXPECT_NE(message_with([](EngineOptions& o) { o.echo_step_time = milliseconds(-1); }).find("echo_step_time"),
            std::string::npos);
}

}  // namespace
}  // namespace engine
