#include "services/worker/turn_intake.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/fakes/fake_consumer.h"
#include "tests/fakes/fake_producer.h"
#include "tests/services/worker/scripted_peers.h"

namespace worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const bus::TopicPartition kPartition{"mesh.turns", 0};

// The intake with everything behind it, and peers that a test scripts.
class TurnIntakeTest : public testing::Test {
 protected:
  TurnIntakeTest() : metrics_(registry_) {}
  ~TurnIntakeTest() override {
    if (intake_ != nullptr) loop_.RunSync([this] { intake_->AbandonAll(); });
    loop_.Stop();
  }

  void StartWith(const std::string& account_fields, std::int32_t window_records_max = 4096) {
    accounts_ = AccountsOf("turn_intake_test", account_fields);
    const TurnContext context{.loop = &loop_,
                              .producer = &producer_,
                              .session = &session_,
                              .engine = &engine_,
                              .journal = &journal_,
                              .solo_queue = &solo_queue_,
                              .solo_engine = nullptr,
                              .reply_log = nullptr,
                              .media = &fetcher_,
                              .accounts = accounts_.get(),
                              .metrics = &metrics_,
                              .clock = &base::Clock::Real(),
                              .session_fails = &session_fails_,
                              .development_only = true,
                              .bus = {}};
    intake_ = std::make_unique<TurnIntake>(
        context, ReadWindow(static_cast<std::size_t>(window_records_max), /*bytes_max=*/64 << 20));
    intake_->SetConsumer(&consumer_);
    journal_.SetConsumer(&consumer_);
    intake_->OnAssigned(kPartition, 0, "");
  }

  static mesh::bus::v1::Turn Turn(const std::string& user, const std::string& text) {
    mesh::bus::v1::Turn turn;
    turn.mutable_conversation()->set_tenant("test");
    turn.mutable_conversation()->set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
    turn.mutable_conversation()->set_account("1");
    turn.mutable_conversation()->set_user(user);
    turn.set_message_id("wamid." + text);
    turn.set_turn_id(identity::MakeTurnId(turn.conversation(), turn.message_id()).value());
    turn.set_kind(mesh::bus::v1::TURN_KIND_MESSAGE);
    turn.set_text(text);
    return turn;
  }
  // The text is the message id, too. Returns the offset.
  std::int64_t Say(const std::string& user, const std::string& text) { return Read(Turn(user, text)); }
  std::int64_t Read(const mesh::bus::v1::Turn& turn) {
    bus::Record record;
    record.topic = kPartition.topic;
    record.partition = kPartition.partition;
    record.offset = next_offset_;
    record.timestamp_ms = base::Clock::Real().WallMs();
    record.key = identity::KeyOf(turn.conversation()).value();
    record.value = turn.SerializeAsString();
    intake_->OnRecord(std::move(record));
    return next_offset_++;
  }

  void SendPicture(const std::string& user, const std::string& text) {
    mesh::bus::v1::Turn turn = Turn(user, text);
    turn.add_attachments()->set_type("image");
    Read(turn);
  }
  std::size_t FetchesCount() {
    std::size_t count = 0;
    loop_.RunSync([&] { count = fetcher_.requests.size(); });
    return count;
  }

  std::int64_t Unsend(const std::string& user, const std::string& text) {
    mesh::bus::v1::Turn turn = Turn(user, "unsend of " + text);
    turn.set_kind(mesh::bus::v1::TURN_KIND_UNSEND);
    turn.set_target_turn_id(Turn(user, text).turn_id());
    turn.clear_text();
    return Read(turn);
  }

  // Message ids of dropped turns with the one that took their place, in the order of the log.
  std::vector<std::pair<std::string, std::string>> Superseded(const std::string& user) const {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const bus::OutgoingRecord& record : producer_.log()) {
      mesh::bus::v1::ReplyRecord value;
      if (record.topic != "mesh.replies" || !value.ParseFromString(record.value) || !value.has_supersede()) continue;
      if (value.supersede().conversation().user() != user) continue;
      pairs.emplace_back(TextOf(user, value.supersede().turn_id()), TextOf(user, value.supersede().by_turn_id()));
    }
    return pairs;
  }
  static std::string TextOf(const std::string& user, const std::string& turn_id) {
    for (const char* text : {"a", "b", "c", "d"}) {
      if (Turn(user, text).turn_id() == turn_id) return text;
    }
    return "?";
  }
  int Dropped(mesh::bus::v1::DropPolicy policy) const {
    int count = 0;
    for (const bus::OutgoingRecord& record : producer_.log()) {
      mesh::bus::v1::ReplyRecord value;
      if (record.topic != "mesh.replies" || !value.ParseFromString(record.value)) continue;
      count += value.supersede().policy() == policy || value.reply().drop_policy() == policy;
    }
    return count;
  }
  // Users that were told that there are too many, in the order of the log.
  std::vector<std::string> ToldBusy() const {
    std::vector<std::string> users;
    for (const bus::OutgoingRecord& record : producer_.log()) {
      mesh::bus::v1::ReplyRecord value;
      if (record.topic != "mesh.replies" || !value.ParseFromString(record.value)) continue;
      if (value.reply().text() == "Too many people.") users.push_back(value.reply().conversation().user());
    }
    return users;
  }
  static bool WaitUntil(const std::function<bool()>& what) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    while (!what()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return true;
  }
  bool WaitDone(std::set<std::int64_t> offsets) {
    return WaitUntil([&] { return consumer_.done() == offsets; });
  }

  using Pairs = std::vector<std::pair<std::string, std::string>>;

  telemetry::Registry registry_;
  const Metrics metrics_;
  fakes::FakeProducer producer_;
  ScriptedSession session_;
  std::atomic<bool> session_fails_{false};
  fakes::FakeConsumer consumer_;
  EndlessEngine engine_;
  std::unique_ptr<FixedAccounts> accounts_;
  AttemptJournal journal_;
  app::EventLoop loop_{100'000};
  SoloQueue solo_queue_{&loop_};
  ScriptedFetcher fetcher_;
  std::unique_ptr<TurnIntake> intake_;
  std::int64_t next_offset_ = 0;
};

TEST_F(TurnIntakeTest, FollowupLetsTheRunningTurnGoOn) {
  StartWith("");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  Say("anna", "b");
  Say("ben", "c");
  ASSERT_TRUE(engine_.WaitForSubmissions(2)) << "another conversation starts beside it";
  EXPECT_EQ(engine_.LastUserMessage(), "c");
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnIntakeTest, InterruptStopsTheRunningTurnDropsTheWaitingAndRunsTheNewest) {
  StartWith("    queue_mode: interrupt\n");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  Say("anna", "b");
  ASSERT_TRUE(engine_.WaitForSubmissions(2));
  EXPECT_EQ(engine_.LastUserMessage(), "b");
  EXPECT_EQ(Superseded("anna"), (Pairs{{"a", "b"}}));
  EXPECT_EQ(Dropped(mesh::bus::v1::DROP_POLICY_SUPERSEDED), 1);
  EXPECT_TRUE(WaitDone({0}));
}

TEST_F(TurnIntakeTest, InterruptIsOneConversationsOwn) {
  StartWith("    queue_mode: interrupt\n");
  Say("anna", "a");
  Say("ben", "b");
  ASSERT_TRUE(engine_.WaitForSubmissions(2));
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnIntakeTest, WhatATurnBringsIsFetchedWhileItWaits) {
  StartWith("");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  SendPicture("anna", "b");
  ASSERT_TRUE(WaitUntil([this] { return FetchesCount() == 1; }));
  loop_.RunSync([this] { fetcher_.Answer(0, {.result = media::Result::kStored, .type = "image/png", .bytes = 2048}); });
  engine_.Answer(1);
  ASSERT_TRUE(engine_.WaitForSubmissions(2));
  EXPECT_EQ(engine_.LastUserMessage(),
            "b\n[The user sent an image (image/png, 2 KB); its content is not visible to you]");
  EXPECT_EQ(FetchesCount(), 1u);
}

TEST_F(TurnIntakeTest, ATurnThatAnotherOneStandsForGivesUpWhatHasNotBegun) {
  StartWith("    queue_mode: interrupt\n");
  SendPicture("anna", "b");
  ASSERT_TRUE(WaitUntil([this] { return FetchesCount() == 1; }));
  const std::shared_ptr<const std::atomic<media::Interest>> interest = fetcher_.requests[0].interest;
  EXPECT_EQ(interest->load(), media::Interest::kWanted);
  Say("anna", "c");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  EXPECT_EQ(engine_.LastUserMessage(), "c");
  EXPECT_EQ(Superseded("anna"), (Pairs{{"b", "c"}}));
  EXPECT_TRUE(WaitUntil([&] { return interest->load() == media::Interest::kOver; }));
}

// Meta's retry of a webhook: its file may have been deleted since, and is fetched before session is asked.
// "interrupt" asks session in the queue, "followup" when the turn runs.
class TurnIntakeRetryTest : public TurnIntakeTest, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(QueueModes, TurnIntakeRetryTest, testing::Values("followup", "interrupt"));

TEST_P(TurnIntakeRetryTest, ARetriedMessageLeavesNoFileThatWasNotThere) {
  StartWith(std::string("    queue_mode: ") + GetParam() + "\n");
  session_.finished = {Turn("anna", "b").turn_id()};
  SendPicture("anna", "b");
  ASSERT_TRUE(WaitUntil([this] { return FetchesCount() == 1; }));
  loop_.RunSync([this] { fetcher_.Answer(0, {.result = media::Result::kStored}); });
  std::size_t deleted = 0;
  EXPECT_TRUE(WaitUntil([&] {
    loop_.RunSync([&] { deleted = fetcher_.deleted_files.size(); });
    return deleted == 1;
  }));
  EXPECT_TRUE(WaitDone({0}));
}

TEST_F(TurnIntakeTest, AReactionInterruptsNothing) {
  StartWith("    queue_mode: interrupt\n");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  mesh::bus::v1::Turn reaction = Turn("anna", "b");
  reaction.set_kind(mesh::bus::v1::TURN_KIND_EVENT);
  const std::int64_t offset = Read(reaction);
  EXPECT_TRUE(WaitDone({offset})) << "it passes beside the running turn";
  EXPECT_TRUE(producer_.log().empty());
}

TEST_F(TurnIntakeTest, AnUnsendStopsItsRunningTurnAndTheNextOneGoesOn) {
  StartWith("");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  Say("anna", "b");
  Unsend("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(2));
  EXPECT_EQ(engine_.LastUserMessage(), "b");
  EXPECT_EQ(Superseded("anna"), (Pairs{{"a", "?"}})) << "nobody takes its place";
  EXPECT_EQ(Dropped(mesh::bus::v1::DROP_POLICY_UNSENT), 1);
  engine_.Answer(2);
  EXPECT_TRUE(WaitDone({0, 1, 2}));
  loop_.RunSync([this] { EXPECT_EQ(session_.unsent.size(), 1u) << "behind what was said before it"; });
}

TEST_F(TurnIntakeTest, AnUnsendTakesItsTurnAndNoOtherOutOfTheQueue) {
  StartWith("");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  Say("anna", "b");
  Say("anna", "b");  // a retried webhook
  Say("anna", "c");
  Say("ben", "b");
  ASSERT_TRUE(engine_.WaitForSubmissions(2));
  Unsend("anna", "b");
  EXPECT_TRUE(WaitDone({1, 2})) << "before its turn has come";
  engine_.Answer(1);
  ASSERT_TRUE(engine_.WaitForSubmissions(3));
  EXPECT_EQ(engine_.LastUserMessage(), "c");
  EXPECT_EQ(Dropped(mesh::bus::v1::DROP_POLICY_UNSENT), 2);
  engine_.Answer(3);
  EXPECT_TRUE(WaitDone({0, 1, 2, 3, 5}));
}

TEST_F(TurnIntakeTest, AnUnsendOfWhatIsAnsweredOnlyReachesSession) {
  StartWith("");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  engine_.Answer(1);
  EXPECT_TRUE(WaitDone({0}));
  Unsend("anna", "a");
  EXPECT_TRUE(WaitDone({0, 1}));
  EXPECT_EQ(Dropped(mesh::bus::v1::DROP_POLICY_UNSENT), 0);
}

TEST_F(TurnIntakeTest, AnUnsentMessageTakesNobodysPlace) {
  StartWith("    queue_mode: interrupt\n");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  loop_.RunSync([this] { session_.context.set_unsent(true); });  // of "b": its unsend came before it
  const std::int64_t late = Say("anna", "b");
  EXPECT_TRUE(WaitDone({late}));
  engine_.Answer(1);
  EXPECT_TRUE(WaitDone({0, late}));
  EXPECT_EQ(Superseded("anna"), (Pairs{{"b", "?"}}));
}

TEST_F(TurnIntakeTest, ARetriedWebhookOfAnAnsweredTurnInterruptsNothing) {
  StartWith("    queue_mode: interrupt\n");
  session_.finished = {Turn("anna", "a").turn_id()};
  Say("anna", "b");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  const std::int64_t retried = Say("anna", "a");
  EXPECT_TRUE(WaitDone({retried}));
  EXPECT_TRUE(producer_.log().empty()) << "b is still being answered";
}

TEST_F(TurnIntakeTest, InterruptWaitsForSessionAndIsNotForgotten) {
  StartWith("    queue_mode: interrupt\n");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  loop_.RunSync([this] { session_.load_failures = {absl::UnavailableError("away"), absl::UnavailableError("away")}; });
  Say("anna", "b");
  ASSERT_TRUE(engine_.WaitForSubmissions(2));
  EXPECT_EQ(Superseded("anna"), (Pairs{{"a", "b"}}));
}

TEST_F(TurnIntakeTest, CollectAnswersMessagesInQuickSuccessionOnce) {
  StartWith("    queue_mode: collect\n    debounce_ms: 300\n");
  Say("anna", "a");
  Say("anna", "b");
  Say("anna", "c");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  EXPECT_EQ(engine_.LastUserMessage(), "c");  // session, scripted here, brings the words of a and b
  EXPECT_EQ(Superseded("anna"), (Pairs{{"a", "c"}, {"b", "c"}}));
  EXPECT_EQ(Dropped(mesh::bus::v1::DROP_POLICY_MERGED), 2);
  EXPECT_TRUE(WaitDone({0, 1}));
  EXPECT_FALSE(engine_.WaitForSubmissions(2, seconds(0)));
}

TEST_F(TurnIntakeTest, CollectOfASingleMessageIsAnAnswer) {
  StartWith("    queue_mode: collect\n    debounce_ms: 20\n");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  EXPECT_TRUE(producer_.log().empty());
}

// Bug 9: one user's flood filled the window and paused everybody on the partition.
TEST_F(TurnIntakeTest, AFloodOfOneUserNeverPausesThePartitionForOthers) {
  StartWith("", /*window_records_max=*/256);
  Say("flood", "first");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  constexpr int kFlood = 2000;
  for (int i = 0; i < kFlood; ++i) {
    Say("flood", "flood" + std::to_string(i));
    // A user is slower than the loop; what is measured is what stays behind.
    if (i % 32 == 0) loop_.RunSync([] {});
    ASSERT_TRUE(WaitUntil([&] { return static_cast<std::size_t>(i) - consumer_.done().size() < 2 * kLaneWaitingMax; }))
        << "at " << i;
  }
  EXPECT_EQ(consumer_.pauses(), 0);
  Say("quiet", "hello");
  ASSERT_TRUE(engine_.WaitForSubmissions(2));
  EXPECT_EQ(engine_.LastUserMessage(), "hello");
  EXPECT_GE(Dropped(mesh::bus::v1::DROP_POLICY_OVERFLOW), kFlood - 2 * static_cast<int>(kLaneWaitingMax));
}

TEST_F(TurnIntakeTest, AFullWindowPausesThePartitionAndResumesIt) {
  StartWith("", /*window_records_max=*/64);
  for (int i = 0; i < 64; ++i) Say("user" + std::to_string(i), "a");
  EXPECT_EQ(consumer_.pauses(), 1);
  ASSERT_TRUE(engine_.WaitForSubmissions(64));
  for (std::uint64_t i = 1; i <= 16; ++i) engine_.Answer(i);
  ASSERT_TRUE(WaitUntil([&] { return consumer_.done().size() == 16; }));
  EXPECT_EQ(consumer_.resumes(), 0) << "three quarters are still taken";
  engine_.Answer(17);
  EXPECT_TRUE(WaitUntil([&] { return consumer_.resumes() == 1; }));
}

constexpr char kBusyAccount[] = "    turn_deadline_s: 1\n    busy_text: Too many people.\n";

// One turn runs without end, and there is no room for another.
TEST_F(TurnIntakeTest, ATurnThatWaitsForAFullEngineInVainIsShed) {
  engine_.SetRoom(0);
  StartWith(kBusyAccount);
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  Say("ben", "b");
  EXPECT_TRUE(WaitDone({1}));
  EXPECT_EQ(ToldBusy(), (std::vector<std::string>{"ben"}));
  EXPECT_EQ(Dropped(mesh::bus::v1::DROP_POLICY_SHED), 1);
  EXPECT_FALSE(engine_.WaitForSubmissions(2, seconds(0)));
  EXPECT_EQ(metrics_.turns.at("shed").Value(), 1);
  engine_.Answer(1);
  EXPECT_TRUE(WaitDone({0, 1})) << "anna's turn was under way and is answered";
}

TEST_F(TurnIntakeTest, OneUsersFloodIsShedWithOneNotice) {
  engine_.SetRoom(0);
  StartWith(kBusyAccount);
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  for (const char* text : {"b", "c", "d"}) Say("ben", text);
  EXPECT_TRUE(WaitDone({1, 2, 3}));
  EXPECT_EQ(ToldBusy().size(), 1u);
  EXPECT_EQ(Superseded("ben"), (Pairs{{"b", "d"}, {"c", "d"}}));
  EXPECT_EQ(Dropped(mesh::bus::v1::DROP_POLICY_SHED), 3);
  EXPECT_EQ(session_.appended.size(), 3u);
}

// It is an outage and no overload: afterwards everything that waited is answered.
TEST_F(TurnIntakeTest, NothingIsShedWhileSessionIsAway) {
  engine_.SetRoom(0);
  StartWith(kBusyAccount);
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  session_fails_ = true;
  Say("ben", "b");
  std::this_thread::sleep_for(milliseconds(1500));  // there is nothing to wait for
  EXPECT_TRUE(ToldBusy().empty());
  session_fails_ = false;
  EXPECT_TRUE(WaitDone({1}));
}

// One turn runs at a time, 20 ms each, and 200 wait for it with a deadline of 3 s.
TEST_F(TurnIntakeTest, WhoComesWhenTheQueueIsTooLongIsToldAtOnce) {
  engine_.SetRoom(0);
  StartWith("    turn_deadline_s: 3\n    busy_text: Too many people.\n");
  for (int i = 0; i < 200; ++i) Say("user" + std::to_string(i), "a");
  for (std::uint64_t i = 1; i <= 20; ++i) {
    ASSERT_TRUE(engine_.WaitForSubmissions(i));
    std::this_thread::sleep_for(milliseconds(20));  // the time of an answer
    engine_.Answer(i);
  }
  ASSERT_TRUE(ToldBusy().empty());
  Say("late", "a");
  ASSERT_TRUE(WaitUntil([&] { return !ToldBusy().empty(); }));
  EXPECT_EQ(ToldBusy()[0], "late") << "the others have waited for longer, and may yet be answered";
}

TEST_F(TurnIntakeTest, WhatIsBeingDroppedWhenThePartitionGoesIsLeftToTheNextOwner) {
  StartWith("    queue_mode: interrupt\n");
  Say("anna", "a");
  ASSERT_TRUE(engine_.WaitForSubmissions(1));
  producer_.Hold(true);
  Say("anna", "b");
  ASSERT_TRUE(producer_.WaitForProduced(1));  // the supersede of a, not reported yet
  intake_->OnRevoked(kPartition, /*lost=*/false);
  producer_.Hold(false);
  ASSERT_TRUE(WaitUntil([&] {
    std::size_t running = 1;
    loop_.RunSync([&] { running = intake_->running_count(); });
    return running == 0;
  }));
  EXPECT_TRUE(consumer_.done().empty());
}

}  // namespace
}  // namespace worker
