#include "services/worker/turn_run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "libs/bus/headers.h"
#include "libs/engine/make_engine.h"
#include "proto/bus/v1/audit.pb.h"
#include "services/worker/queued_turn.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_consumer.h"
#include "tests/fakes/fake_producer.h"
#include "tests/services/worker/scripted_peers.h"

namespace worker {
namespace {

using std::chrono::seconds;

constexpr char kAccountFields[] = R"(    turn_deadline_s: 10
    notice_text: Sorry.
    busy_text: Too many people.
    too_long_text: Too long.
)";

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

class TurnRunTest : public testing::Test {
 protected:
  TurnRunTest() : metrics_(registry_), loop_(1000), solo_queue_(&loop_) {
    journal_.SetConsumer(&consumer_);
    accounts_ = AccountsOf("turn_run_test", kAccountFields);
    clock_.Advance(base::Clock::Real().Now() - clock_.Now());  // the engine reads the real clock for deadlines
    engine::EngineOptions options;
    options.kind = engine::EngineKind::kEcho;
    auto engine = engine::MakeEngine(options);
    EXPECT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    turn_.mutable_conversation()->set_tenant("test");
    turn_.mutable_conversation()->set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
    turn_.mutable_conversation()->set_account("1");
    turn_.mutable_conversation()->set_user("491700000001");
    turn_.set_message_id("wamid.1");
    turn_.set_turn_id(identity::MakeTurnId(turn_.conversation(), "wamid.1").value());
    turn_.set_kind(mesh::bus::v1::TURN_KIND_MESSAGE);
    turn_.set_text("hello");
  }
  ~TurnRunTest() override {
    engine_.reset();
    loop_.Stop();
  }

  std::shared_ptr<TurnTask> Task(bus::Headers headers = {}) const {
    auto task = std::make_shared<TurnTask>();
    task->record.topic = "mesh.turns";
    task->record.key = identity::KeyOf(turn_.conversation()).value();
    task->record.value = value_.empty() ? turn_.SerializeAsString() : value_;
    task->record.headers = std::move(headers);
    task->record.note = note_;
    task->read_at = clock_.Now();
    return task;
  }
  TurnContext Context() {
    return {.loop = &loop_,
            .producer = &producer_,
            .session = &session_,
            .engine = engine_.get(),
            .journal = &journal_,
            .solo_queue = &solo_queue_,
            .solo_engine = &solo_engine_,
            .reply_log = &reply_log_,
            .accounts = accounts_.get(),
            .metrics = &metrics_,
            .clock = &clock_,
            .session_fails = &session_fails_,
            .development_only = true,
            .bus = {},
            .on_log_refused = [](std::string_view, const absl::Status&) { ++log_refusals_; }};
  }

  EndlessEngine* UseEndlessEngine() {
    engine_ = std::make_unique<EndlessEngine>();
    return static_cast<EndlessEngine*>(engine_.get());
  }

  // Runs the turn to its end; whether it counts as done.
  bool Run(bus::Headers headers = {}) {
    const auto run = TurnRun::Start(Context(), Task(std::move(headers)), OnDone());
    return WaitForEnd();
  }
  std::function<void(bool)> OnDone() {
    done_ = std::promise<bool>();
    return [this](bool completed) { done_.set_value(completed); };
  }
  bool WaitForEnd() {
    std::future<bool> future = done_.get_future();
    EXPECT_EQ(future.wait_for(seconds(20)), std::future_status::ready);
    return future.get();
  }

  std::vector<mesh::bus::v1::Reply> Replies() const {
    std::vector<mesh::bus::v1::Reply> replies;
    for (const bus::OutgoingRecord& record : producer_.log()) {
      mesh::bus::v1::ReplyRecord value;
      if (record.topic == "mesh.replies" && value.ParseFromString(record.value) && value.has_reply()) {
        replies.push_back(value.reply());
      }
    }
    return replies;
  }
  std::string DeadLetterReason() const {
    for (const bus::OutgoingRecord& record : producer_.log()) {
      mesh::bus::v1::DeadLetter letter;
      if (record.topic == "mesh.dead-letter" && letter.ParseFromString(record.value)) return letter.reason();
    }
    return "";
  }

  // What the log says of a turn that was dropped: its supersede, then its record on audit, and nothing else.
  void ExpectDropped(mesh::bus::v1::DropPolicy policy) const {
    const std::vector<bus::OutgoingRecord> log = producer_.log();
    ASSERT_EQ(log.size(), 2u);
    EXPECT_EQ(log[0].topic, "mesh.replies");
    EXPECT_EQ(log[0].key, identity::KeyOf(turn_.conversation()).value());
    mesh::bus::v1::ReplyRecord value;
    ASSERT_TRUE(value.ParseFromString(log[0].value));
    EXPECT_EQ(value.supersede().turn_id(), turn_.turn_id());
    EXPECT_EQ(value.supersede().by_turn_id(), "the later turn");
    EXPECT_EQ(value.supersede().conversation().user(), turn_.conversation().user());
    EXPECT_EQ(log[1].topic, "mesh.audit");
    EXPECT_EQ(log[1].key, "test");
    mesh::bus::v1::AuditRecord audit;
    ASSERT_TRUE(audit.ParseFromString(log[1].value));
    EXPECT_EQ(audit.policy_drop().turn_id(), turn_.turn_id());
    EXPECT_EQ(audit.policy_drop().by_turn_id(), "the later turn");
    EXPECT_EQ(audit.policy_drop().policy(), policy);
    EXPECT_EQ(audit.policy_drop().replies_offset(), 0);
    ASSERT_EQ(session_.appended.size(), 1u);
    EXPECT_EQ(session_.appended[0].turn().user_text(), "hello") << "later turns see the user's words";
    EXPECT_EQ(session_.appended[0].turn().reply_text(), "");
  }

  inline static std::atomic<int> log_refusals_{0};
  std::promise<bool> done_;
  telemetry::Registry registry_;
  const Metrics metrics_;
  fakes::FakeClock clock_;
  fakes::FakeProducer producer_;
  ScriptedSession session_;
  std::atomic<bool> session_fails_{false};
  std::unique_ptr<FixedAccounts> accounts_;
  fakes::FakeConsumer consumer_;
  AttemptJournal journal_;
  ScriptedSoloEngine solo_engine_;
  ScriptedReplyLog reply_log_;
  app::EventLoop loop_;
  SoloQueue solo_queue_;
  std::unique_ptr<engine::Engine> engine_;
  mesh::bus::v1::Turn turn_;
  std::string value_;       // in place of turn_
  std::uint32_t note_ = 0;  // what an earlier worker left
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
  while (consumer_.noted().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
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

TEST_F(TurnRunTest, ATurnThatIsDroppedWhileItGeneratesStopsAndSaysNothing) {
  EndlessEngine* const watched = UseEndlessEngine();
  const auto run = TurnRun::Start(Context(), Task(), OnDone());
  ASSERT_TRUE(watched->WaitForSubmissions(1));
  loop_.RunSync([&] {
    ASSERT_TRUE(run->may_be_dropped());
    run->Drop({DropReason::kSuperseded, "the later turn"});
    EXPECT_FALSE(run->may_be_dropped()) << "one turn takes its place, not two";
  });
  EXPECT_TRUE(WaitForEnd());
  ExpectDropped(mesh::bus::v1::DROP_POLICY_SUPERSEDED);
  EXPECT_EQ(metrics_.turns.at("superseded").Value(), 1);
}

TEST_F(TurnRunTest, ATurnThatIsDroppedBeforeItStartsNeverReachesTheEngine) {
  EndlessEngine* const watched = UseEndlessEngine();
  const auto run = TurnRun::StartDropped(Context(), Task(), {DropReason::kMerged, "the later turn"}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ExpectDropped(mesh::bus::v1::DROP_POLICY_MERGED);
  EXPECT_FALSE(watched->WaitForSubmissions(1, seconds(0)));
}

// Also with the broker away: neither record may be missing once the turn counts as done.
TEST_F(TurnRunTest, ADropIsDoneOnlyWhenBothOfItsRecordsStand) {
  std::atomic<int> reports = 0;
  producer_.FailWhen([&](const bus::OutgoingRecord&) {
    return ++reports % 2 == 1 ? absl::UnavailableError("broker is away") : absl::OkStatus();
  });
  const auto run = TurnRun::StartDropped(Context(), Task(), {DropReason::kOverflow, "the later turn"}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ExpectDropped(mesh::bus::v1::DROP_POLICY_OVERFLOW);
}

TEST_F(TurnRunTest, ATurnThatWasAnsweredInAnEarlierLifeIsNotDropped) {
  session_.context.set_done(true);
  const auto run = TurnRun::StartDropped(Context(), Task(), {DropReason::kSuperseded, "the later turn"}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnRunTest, WhatMayStandInTheLogAlreadyCannotBeDropped) {
  producer_.Hold(true);
  const auto run = TurnRun::Start(Context(), Task(), OnDone());
  ASSERT_TRUE(producer_.WaitForProduced(1));
  loop_.RunSync([&] { EXPECT_FALSE(run->may_be_dropped()); });
  producer_.Hold(false);
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(Replies().size(), 1u);
}

TEST_F(TurnRunTest, ATurnThatStandsForTooManyGetsTheAccountsText) {
  accounts_ = AccountsOf("turn_run_test", std::string(kAccountFields) + "    overflow_text: One at a time.\n");
  auto task = Task();
  task->stands_for_too_many = true;
  const auto run = TurnRun::Start(Context(), task, OnDone());
  EXPECT_TRUE(WaitForEnd());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "One at a time.");
  EXPECT_EQ(Replies()[0].kind(), mesh::bus::v1::REPLY_KIND_ANSWER);
}

// Its user is told, audit has the policy, and the turn is finished like any other: a retried webhook finds it so.
TEST_F(TurnRunTest, AShedTurnTellsItsUserAndNeverReachesTheEngine) {
  EndlessEngine* const watched = UseEndlessEngine();
  const auto run = TurnRun::StartDropped(Context(), Task(), {.reason = DropReason::kShed}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_FALSE(watched->WaitForSubmissions(1, seconds(0)));
  const std::vector<bus::OutgoingRecord> log = producer_.log();
  ASSERT_EQ(log.size(), 2u) << "no dead letter, no supersede";
  EXPECT_EQ(Replies().at(0).kind(), mesh::bus::v1::REPLY_KIND_NOTICE);
  EXPECT_EQ(Replies().at(0).text(), "Too many people.");
  mesh::bus::v1::AuditRecord audit;
  ASSERT_TRUE(log[0].topic == "mesh.audit" && audit.ParseFromString(log[0].value)) << "said why before it is said";
  EXPECT_EQ(audit.policy_drop().policy(), mesh::bus::v1::DROP_POLICY_SHED);
  EXPECT_EQ(audit.policy_drop().turn_id(), turn_.turn_id());
  ASSERT_EQ(session_.appended.size(), 1u);
  EXPECT_EQ(session_.appended[0].turn().reply_text(), "Too many people.");
  EXPECT_EQ(metrics_.turns.at("shed").Value(), 1);
  EXPECT_EQ(metrics_.turns.at("answered").Value() + metrics_.turns.at("dead_letter").Value(), 0);
}

TEST_F(TurnRunTest, AShedTurnThatWasAnsweredInAnEarlierLifeTellsNobody) {
  session_.context.set_done(true);
  const auto run = TurnRun::StartDropped(Context(), Task(), {.reason = DropReason::kShed}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnRunTest, AShedTurnsNoticeWaitsForTheBrokerAndIsSaidOnce) {
  std::atomic<int> refusals = 0;
  producer_.FailWhen([&](const bus::OutgoingRecord&) {
    return ++refusals <= 2 ? absl::UnavailableError("broker is away") : absl::OkStatus();
  });
  const auto run = TurnRun::StartDropped(Context(), Task(), {.reason = DropReason::kShed}, OnDone());
  EXPECT_TRUE(WaitForEnd());
  EXPECT_EQ(Replies().size(), 1u);
  EXPECT_EQ(session_.appended.size(), 1u);
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
