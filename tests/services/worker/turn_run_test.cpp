#include "services/worker/turn_run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "libs/bus/headers.h"
#include "tests/integration/harness/wait.h"
#include "tests/services/worker/turn_run_fixture.h"

namespace worker {
namespace {

using std::chrono::seconds;

// An engine in which every sequence, or its submission, ends with this error.
class FailingEngine final : public engine::Engine {
 public:
  FailingEngine(
      absl::Status error, bool at_submission, std::function<void()> on_submit = [] {})
      : error_(std::move(error)), at_submission_(at_submission), on_submit_(std::move(on_submit)) {}

  absl::StatusOr<engine::SequenceId> Submit(engine::GenerationRequest, engine::ResultCallback on_done) override {
    ++submissions_;
    on_submit_();
    if (at_submission_) return error_;
    on_done(error_);
    return engine::SequenceId(1);
  }
  void Cancel(engine::SequenceId) override {}
  engine::Credit credit() const override { return {}; }
  std::int32_t CountTokens(std::string_view) const override { return 0; }
  std::int32_t context_tokens_max() const override { return 1024; }
  std::string model_name() const override { return "failing"; }
  std::string device_name() const override { return "cpu"; }
  engine::EngineStats stats() const override { return {}; }
  bool alive() const override { return true; }

  int submissions() const { return submissions_; }

 private:
  const absl::Status error_;
  const bool at_submission_;
  const std::function<void()> on_submit_;
  std::atomic<int> submissions_{0};
};
TEST_F(TurnRunTest, AnswersAndProjectsWithTheOffsetOfTheReply) {
  EXPECT_TRUE(Run());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "echo: hello");
  ASSERT_EQ(session_.appended.size(), 1u);
  EXPECT_EQ(session_.appended[0].turn().reply_text(), "echo: hello");
}

TEST_F(TurnRunTest, NothingReachesTheEngineBeforeTheJournalHasIt) {
  auto endless = std::make_unique<EndlessEngine>();
  EndlessEngine* const watched = endless.get();
  engine_ = std::move(endless);
  consumer_.HoldNotes();
  const auto run = TurnRun::Start(Context(), Task(), OnDone());
  ASSERT_TRUE(harness::WaitUntil([&] { return !consumer_.noted().empty(); }));
  loop_.RunSync([] {});
  EXPECT_FALSE(watched->WaitForSubmissions(1, seconds(0)));
  EXPECT_TRUE(Attempts::FromNote(consumer_.notes().at(0)).began());
  consumer_.ReleaseNotes();
  ASSERT_TRUE(watched->WaitForSubmissions(1));
  watched->Answer(1);
  EXPECT_TRUE(WaitForEnd());
}

TEST_F(TurnRunTest, ANoteThatTheJournalDoesNotTakeIsMadeAgain) {
  consumer_.RefuseNotes(2);
  EXPECT_TRUE(Run());
  EXPECT_EQ(Replies().size(), 1u);
}

TEST_F(TurnRunTest, WhatWasAnsweredBeforeIsNotAnsweredAgain) {
  session_.context.set_done(true);
  EXPECT_TRUE(Run());
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnRunTest, AChangedNumberIsLinkedInSessionAndAnsweredByNobody) {
  turn_.set_kind(mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE);
  turn_.set_type("system");
  turn_.set_sent_at_ms(1234);
  turn_.set_original(R"({"system":{"type":"user_changed_number","wa_id":"491700000002"}})");
  session_.link_failures = {absl::UnavailableError("away"), absl::DeadlineExceededError("slow")};
  EXPECT_TRUE(Run());
  ASSERT_EQ(session_.linked.size(), 3u) << "until session has it";
  EXPECT_EQ(session_.linked[2].old_conversation().user(), "491700000001");
  EXPECT_EQ(session_.linked[2].new_conversation().user(), "491700000002");
  EXPECT_EQ(session_.linked[2].changed_at_ms(), 1234);
  EXPECT_TRUE(producer_.log().empty());

  turn_.set_original(R"({"system":{"type":"customer_identity_changed"}})");
  EXPECT_TRUE(Run());
  EXPECT_EQ(session_.linked.size(), 3u) << "names no other id";
}

TEST_F(TurnRunTest, AChangeThatSessionRefusesDoesNotHoldItsLane) {
  turn_.set_kind(mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE);
  turn_.set_type("system");
  turn_.set_original(R"({"system":{"type":"user_changed_number","wa_id":"491700000002"}})");
  session_.link_failures = {absl::InvalidArgumentError("too long")};
  EXPECT_TRUE(Run());
  EXPECT_EQ(session_.linked.size(), 1u);
}

TEST_F(TurnRunTest, ARequeuedTurnIsAnsweredAlthoughItsNoticeMadeItDone) {
  session_.context.set_done(true);
  EXPECT_TRUE(Run({{std::string(bus::kGenerationHeader), "1"}}));
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].generation(), 1u);
}

TEST_F(TurnRunTest, WaitingForSessionCostsNothingOfTheTurnsDeadline) {
  session_.load_failures = {absl::UnavailableError("redis is away"), absl::UnavailableError("redis is away")};
  session_.on_load = [this] { clock_.Advance(seconds(60)); };  // each try takes six deadlines
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "");
  EXPECT_EQ(Replies().size(), 1u);
  EXPECT_FALSE(session_fails_);
}

// As an older session does in a rolling upgrade, or one whose Redis or proxy is not set up: it is mended some day.
TEST_F(TurnRunTest, WhatSessionSaysOfItselfAndNotOfTheTurnIsWaitedFor) {
  session_.load_failures = {absl::UnimplementedError("an older session"), absl::PermissionDeniedError("a proxy"),
                            absl::InternalError("Redis answered: ERR unknown command")};
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "");
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].kind(), mesh::bus::v1::REPLY_KIND_ANSWER);
}

TEST_F(TurnRunTest, WhatSessionRefusesForGoodIsGivenUpWithANotice) {
  session_.load_failures = {absl::InvalidArgumentError("user id too long")};
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "refused");
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].kind(), mesh::bus::v1::REPLY_KIND_NOTICE);
  EXPECT_EQ(Replies()[0].text(), "Sorry.");
}

// The same input would fail alike: the user is told at once instead of when the deadline has passed.
TEST_F(TurnRunTest, WhatTheEngineCannotAnswerForGoodIsGivenUpAtOnceWithANotice) {
  for (const bool at_submission : {true, false}) {
    for (const absl::Status& error :
         {absl::InvalidArgumentError("the prompt is too long"), absl::DataLossError("logits are not finite"),
          absl::FailedPreconditionError("the template adds a number to text"),
          absl::OutOfRangeError("the template wrote too much"), absl::UnimplementedError("an unknown filter")}) {
      const std::size_t before = Replies().size();
      auto failing = std::make_unique<FailingEngine>(error, at_submission);
      FailingEngine* const watched = failing.get();
      engine_ = std::move(failing);
      EXPECT_TRUE(Run()) << error;
      EXPECT_EQ(watched->submissions(), 1) << error;
      EXPECT_EQ(DeadLetterReason(), "refused") << error;
      ASSERT_EQ(Replies().size(), before + 1) << error;
      EXPECT_EQ(Replies().back().kind(), mesh::bus::v1::REPLY_KIND_NOTICE) << error;
    }
  }
}

// Every other error is tried again, but never for longer than the turn's deadline.
TEST_F(TurnRunTest, AnEngineThatFailsForeverIsGivenUpAtTheDeadlineWithANotice) {
  for (const absl::Status& error : {absl::InternalError("the step failed"), absl::ResourceExhaustedError("full"),
                                    absl::UnavailableError("away"), absl::UnknownError("?")}) {
    auto failing =
        std::make_unique<FailingEngine>(error, /*at_submission=*/true, [this] { clock_.Advance(seconds(4)); });
    FailingEngine* const watched = failing.get();
    engine_ = std::move(failing);
    EXPECT_TRUE(Run()) << error;
    EXPECT_EQ(watched->submissions(), 3) << error;  // at 0, 4 and 8 of 10 seconds
    EXPECT_EQ(DeadLetterReason(), "deadline") << error;
    EXPECT_EQ(Replies().back().kind(), mesh::bus::v1::REPLY_KIND_NOTICE) << error;
  }
}

TEST_F(TurnRunTest, AReplyThatTheBrokerDoesNotTakeIsWrittenLaterOnce) {
  std::atomic<int> refusals = 0;
  producer_.FailWhen([&](const bus::OutgoingRecord&) {
    return ++refusals <= 2 ? absl::UnavailableError("broker is away") : absl::OkStatus();
  });
  EXPECT_TRUE(Run());
  EXPECT_EQ(Replies().size(), 1u);
}

// What a turn waited for a full engine is part of its time.
TEST_F(TurnRunTest, TheQueueDelayUsesUpTheTurnsDeadline) {
  EndlessEngine* const watched = UseEndlessEngine();
  auto task = Task();
  task->queue_delay = seconds(4);
  const base::MonotonicTime started = clock_.Now();
  const auto run = TurnRun::Start(Context(), task, OnDone());
  ASSERT_TRUE(watched->WaitForSubmissions(1));
  EXPECT_EQ(watched->LastDeadline(), started + seconds(10 - 4));
  watched->Answer(1);
  EXPECT_TRUE(WaitForEnd());
}

// Bug: it was counted as answered, and its notice as the answer; no operator could find it.
TEST_F(TurnRunTest, AnAnswerWithoutWordsIsGivenUpWithANotice) {
  EndlessEngine* const watched = UseEndlessEngine();
  const auto run = TurnRun::Start(Context(), Task(), OnDone());
  ASSERT_TRUE(watched->WaitForSubmissions(1));
  watched->Answer(1, " \n");
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(DeadLetterReason(), "empty_answer");
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "Sorry.");
  EXPECT_EQ(metrics_.turns.at("answered").Value(), 0);
  EXPECT_EQ(metrics_.turns.at("dead_letter").Value(), 1);
}

// Bug: the user was asked to try again in a moment, which helps nobody.
TEST_F(TurnRunTest, AMessageThatIsTooLongIsAnsweredWithItsOwnText) {
  turn_.set_text(std::string(static_cast<std::size_t>(engine_->context_tokens_max()) * 4, 'x'));
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "prompt_too_long");
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "Too long.");
}

// Bug: the deadline was looked at before the first step alone.
TEST_F(TurnRunTest, AnAnswerOverItsDeadlineIsSaidAsFarAsItCame) {
  engine::EngineOptions options;
  options.kind = engine::EngineKind::kEcho;
  options.echo_step_time = std::chrono::milliseconds(10);
  auto engine = engine::MakeEngine(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  turn_.set_text(std::string(800, 'x'));  // 200 steps, two seconds
  auto task = Task();
  task->queue_delay = std::chrono::milliseconds(9500);
  const auto run = TurnRun::Start(Context(), task, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].kind(), mesh::bus::v1::REPLY_KIND_ANSWER);
  EXPECT_EQ(Replies()[0].finish_reason(), mesh::bus::v1::FINISH_REASON_DEADLINE);
  EXPECT_GT(Replies()[0].text().size(), 0u);
  EXPECT_LT(Replies()[0].text().size(), 800u);
}

// Bug 6: such a turn was neither done nor in its lane, so its partition's commits stood still until a restart.
TEST_F(TurnRunTest, ASequenceThatTheEngineCancelsByItselfIsTriedAgainUntilTheDeadline) {
  EndlessEngine* const watched = UseEndlessEngine();
  const auto run = TurnRun::Start(Context(), Task(), OnDone());
  ASSERT_TRUE(watched->WaitForSubmissions(1));
  watched->Cancel(engine::SequenceId(1));
  ASSERT_TRUE(watched->WaitForSubmissions(2)) << "tried again";
  clock_.Advance(seconds(11));
  watched->Cancel(engine::SequenceId(2));
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(DeadLetterReason(), "deadline");
  EXPECT_EQ(Replies().back().kind(), mesh::bus::v1::REPLY_KIND_NOTICE);
}

TEST_F(TurnRunTest, AReplyThatIsTooLargeForTheBrokerIsGivenUpWithANotice) {
  producer_.FailWhen([](const bus::OutgoingRecord& record) {
    mesh::bus::v1::ReplyRecord value;
    const bool is_answer = record.topic == "mesh.replies" && value.ParseFromString(record.value) &&
                           value.reply().kind() == mesh::bus::v1::REPLY_KIND_ANSWER;
    return is_answer ? absl::InvalidArgumentError("message too large") : absl::OkStatus();
  });
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "too_large");
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].kind(), mesh::bus::v1::REPLY_KIND_NOTICE);
  EXPECT_EQ(Replies()[0].completion_tokens(), 0) << "nothing of the answer is left in it";
}

TEST_F(TurnRunTest, ANoticeThatTheBrokerRefusesDoesNotHoldTheLane) {
  producer_.FailWhen([](const bus::OutgoingRecord& record) {
    return record.topic == "mesh.replies" ? absl::InvalidArgumentError("message too large") : absl::OkStatus();
  });
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "too_large");
  EXPECT_TRUE(Replies().empty());
}

TEST_F(TurnRunTest, AWorkerWithoutTheRightToWriteEndsItsProcess) {
  std::atomic<bool> denied = true;
  producer_.FailWhen([&](const bus::OutgoingRecord&) {
    return denied.exchange(false) ? absl::PermissionDeniedError("not authorised") : absl::OkStatus();
  });
  log_refusals_ = 0;
  EXPECT_TRUE(Run());  // here the process lives on, and the next try is taken
  EXPECT_EQ(log_refusals_, 1);
}

TEST(LogRefusalTest, LineAndExitCodeSayWhatHappened) {
  EXPECT_EXIT(EndRefusedByLog("replies", absl::PermissionDeniedError("not authorised")),
              testing::ExitedWithCode(kExitLogRefused), "log_refused.*replies.*not authorised");
}

TEST_F(TurnRunTest, ARecordThatIsNoTurnGoesToTheDeadLetterAndTellsNobody) {
  value_ = "\xff\xff not a turn";
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "undecodable");
  EXPECT_TRUE(Replies().empty());
}

TEST_F(TurnRunTest, WhatANewerVersionWroteGoesToTheDeadLetterUnread) {
  EXPECT_TRUE(Run({{"ce_type", "mesh.bus.v2.Turn"}}));
  EXPECT_EQ(DeadLetterReason(), "unknown_schema") << "although its bytes parse";
  EXPECT_TRUE(Replies().empty());
  EXPECT_FALSE(DescribeTurn(Task({{"ce_type", "mesh.bus.v2.Turn"}})->record, *accounts_->current(), {}).is_user_turn)
      << "it takes nobody's place in the queue";
}

TEST_F(TurnRunTest, AKindOfANewerVersionIsNotTakenForAnEvent) {
  turn_.set_kind(static_cast<mesh::bus::v1::TurnKind>(99));
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "unknown_schema");
}

TEST_F(TurnRunTest, ATurnOfAnAccountThatIsGoneGoesToTheDeadLetter) {
  turn_.mutable_conversation()->set_account("2");
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "unknown_account");
}

TEST_F(TurnRunTest, EventsPassWithoutAnAnswer) {
  turn_.set_kind(mesh::bus::v1::TURN_KIND_EVENT);
  EXPECT_TRUE(Run());
  EXPECT_TRUE(producer_.log().empty());
}

}  // namespace
}  // namespace worker
