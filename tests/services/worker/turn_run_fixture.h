#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/engine/make_engine.h"
#include "services/worker/queued_turn.h"
#include "services/worker/turn_run.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_consumer.h"
#include "tests/fakes/fake_producer.h"
#include "tests/services/worker/scripted_peers.h"

namespace worker {

inline constexpr char kAccountFields[] = R"(    turn_deadline_s: 10
    notice_text: Sorry.
    busy_text: Too many people.
    too_long_text: Too long.
)";

// One turn with everything around it scripted, on an echo engine.
class TurnRunTest : public testing::Test {
 protected:
  explicit TurnRunTest(const char* test = "turn_run_test", const char* account_fields = kAccountFields)
      : metrics_(registry_), accounts_(AccountsOf(test, account_fields)), loop_(1000), solo_queue_(&loop_) {
    journal_.SetConsumer(&consumer_);
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
  bool WaitForEnd() { return Await(done_); }
  static bool Await(std::promise<bool>& done) {
    std::future<bool> future = done.get_future();
    EXPECT_EQ(future.wait_for(std::chrono::seconds(20)), std::future_status::ready);
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

  // What the log says of a turn that was dropped: its supersede, and nothing else.
  void ExpectDropped(mesh::bus::v1::DropPolicy policy, const std::string& user_text = "hello") const {
    const std::vector<bus::OutgoingRecord> log = producer_.log();
    ASSERT_EQ(log.size(), 1u);
    EXPECT_EQ(log[0].topic, "mesh.replies");
    EXPECT_EQ(log[0].key, identity::KeyOf(turn_.conversation()).value());
    mesh::bus::v1::ReplyRecord value;
    ASSERT_TRUE(value.ParseFromString(log[0].value));
    EXPECT_EQ(value.supersede().turn_id(), turn_.turn_id());
    EXPECT_EQ(value.supersede().by_turn_id(), "the later turn");
    EXPECT_EQ(value.supersede().conversation().user(), turn_.conversation().user());
    EXPECT_EQ(value.supersede().policy(), policy);
    ASSERT_EQ(session_.appended.size(), 1u);
    EXPECT_EQ(session_.appended[0].turn().user_text(), user_text) << "later turns see the user's words";
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

}  // namespace worker
