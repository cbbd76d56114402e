#include "services/worker/turn_run.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/bus/headers.h"
#include "libs/engine/make_engine.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_producer.h"

namespace worker {
namespace {

using std::chrono::seconds;

constexpr char kAccounts[] = R"(accounts:
  - tenant: test
    channel: whatsapp
    account_id: "1"
    development: true
    app_secret_file: secret
    verify_token_file: secret
    access_token_file: secret
    graph_base_url: http://127.0.0.1:1
    turn_deadline_s: 10
    notice_text: Sorry.
)";

class FixedAccounts final : public account::AccountFile {
 public:
  explicit FixedAccounts(std::shared_ptr<const account::AccountBook> book) : book_(std::move(book)) {}
  std::shared_ptr<const account::AccountBook> current() const override { return book_; }
  std::int64_t reload_failures() const override { return 0; }

 private:
  const std::shared_ptr<const account::AccountBook> book_;
};

// A session service whose answers are scripted; without a script everything succeeds. Runs on the loop thread.
class ScriptedSession final : public session::Client {
 public:
  std::deque<absl::Status> load_failures;
  std::function<void()> on_load = [] {};
  mesh::session::v1::LoadContextResponse context;
  std::vector<mesh::session::v1::AppendTurnRequest> appended;

  void LoadContext(const mesh::session::v1::LoadContextRequest&, const CallOptions&,
                   Callback<mesh::session::v1::LoadContextResponse> on_done) override {
    on_load();
    if (load_failures.empty()) return on_done(context);
    on_done(std::exchange(load_failures.front(), absl::OkStatus()));
    load_failures.pop_front();
  }
  void AppendTurn(const mesh::session::v1::AppendTurnRequest& request, const CallOptions&,
                  Callback<mesh::session::v1::AppendTurnResponse> on_done) override {
    appended.push_back(request);
    on_done(mesh::session::v1::AppendTurnResponse());
  }
  void SetOutcome(const mesh::session::v1::SetOutcomeRequest&, const CallOptions&,
                  Callback<mesh::session::v1::SetOutcomeResponse> on_done) override {
    on_done(absl::UnimplementedError("not the worker's call"));
  }
  void LinkIdentity(const mesh::session::v1::LinkIdentityRequest&, const CallOptions&,
                    Callback<mesh::session::v1::LinkIdentityResponse> on_done) override {
    on_done(absl::UnimplementedError("not the worker's call"));
  }
  absl::StatusOr<mesh::session::v1::IsDoneResponse> IsDone(const mesh::session::v1::IsDoneRequest&,
                                                           const CallOptions&) override {
    return absl::UnimplementedError("not the worker's call");
  }
  absl::StatusOr<mesh::session::v1::ForgetResponse> Forget(const mesh::session::v1::ForgetRequest&,
                                                           const CallOptions&) override {
    return absl::UnimplementedError("not the worker's call");
  }
  absl::StatusOr<mesh::session::v1::GetSessionResponse> GetSession(const mesh::session::v1::GetSessionRequest&,
                                                                   const CallOptions&) override {
    return absl::UnimplementedError("not the worker's call");
  }
  bool connected() const override { return true; }
};

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
  TurnRunTest() : metrics_(registry_), loop_(1000) {
    const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "turn_run_test";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "secret") << "secret";
    std::filesystem::permissions(folder / "secret", std::filesystem::perms::owner_read);
    std::ofstream(folder / "accounts.yaml") << kAccounts;
    auto book = account::AccountBook::Load(folder / "accounts.yaml");
    EXPECT_TRUE(book.ok()) << book.status();
    accounts_ = std::make_unique<FixedAccounts>(*book);
    std::filesystem::remove_all(folder);
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

  // Runs the turn to its end; whether it counts as done.
  bool Run(bus::Headers headers = {}) {
    auto task = std::make_shared<TurnTask>();
    task->record.topic = "mesh.turns";
    task->record.key = identity::KeyOf(turn_.conversation()).value();
    task->record.value = value_.empty() ? turn_.SerializeAsString() : value_;
    task->record.headers = std::move(headers);
    task->read_at = clock_.Now();
    const TurnContext context{.loop = &loop_,
                              .producer = &producer_,
                              .session = &session_,
                              .engine = engine_.get(),
                              .accounts = accounts_.get(),
                              .metrics = &metrics_,
                              .clock = &clock_,
                              .session_fails = &session_fails_,
                              .development_only = true,
                              .bus = {}};
    std::promise<bool> done;
    const auto run = TurnRun::Start(context, task, [&done](bool completed) { done.set_value(completed); });
    std::future<bool> future = done.get_future();
    EXPECT_EQ(future.wait_for(seconds(20)), std::future_status::ready);
    return future.get();
  }

  std::vector<mesh::bus::v1::Reply> Replies() const {
    std::vector<mesh::bus::v1::Reply> replies;
    for (const bus::OutgoingRecord& record : producer_.log()) {
      mesh::bus::v1::ReplyRecord value;
      if (record.topic == "mesh.replies" && value.ParseFromString(record.value)) replies.push_back(value.reply());
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

  telemetry::Registry registry_;
  const Metrics metrics_;
  fakes::FakeClock clock_;
  fakes::FakeProducer producer_;
  ScriptedSession session_;
  std::atomic<bool> session_fails_{false};
  std::unique_ptr<FixedAccounts> accounts_;
  app::EventLoop loop_;
  std::unique_ptr<engine::Engine> engine_;
  mesh::bus::v1::Turn turn_;
  std::string value_;  // in place of turn_
};

TEST_F(TurnRunTest, AnswersAndProjectsWithTheOffsetOfTheReply) {
  EXPECT_TRUE(Run());
  ASSERT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Replies()[0].text(), "echo: hello");
  ASSERT_EQ(session_.appended.size(), 1u);
  EXPECT_EQ(session_.appended[0].turn().reply_text(), "echo: hello");
}

TEST_F(TurnRunTest, WhatWasAnsweredBeforeIsNotAnsweredAgain) {
  session_.context.set_done(true);
  EXPECT_TRUE(Run());
  EXPECT_TRUE(producer_.log().empty());
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

TEST_F(TurnRunTest, ARecordThatIsNoTurnGoesToTheDeadLetterAndTellsNobody) {
  value_ = "\xff\xff not a turn";
  EXPECT_TRUE(Run());
  EXPECT_EQ(DeadLetterReason(), "undecodable");
  EXPECT_TRUE(Replies().empty());
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
