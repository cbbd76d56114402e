// What operators do after something was lost: `meshctl replay` and `meshctl session rebuild` against the whole mesh.
// Goal of both: what is missing comes back, and no user sees anything twice. Accounts collect messages, so that some
// are merged into later ones; the last test is about these alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/bus/consumer.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/topics.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/media_mesh.h"
#include "tests/integration/mesh/webhook_body.h"

namespace mesh_test {
namespace {

namespace v1 = mesh::session::v1;

Mesh& CollectingMesh() {
  return SharedMesh(
      {.engine = "echo", .worker_flags = {}, .account_fields = {"queue_mode: collect", "debounce_ms: 700"}});
}

// A faulty member of a service's group: takes records and marks them done, and does nothing.
class LosingMember final : public bus::ConsumerHandler {
 public:
  LosingMember(Mesh& mesh, const std::string& group, std::string_view topic)
      : topic_(bus::TopicName(mesh.bus(), topic)) {
    bus::ConsumerOptions options;
    options.group = group;
    options.topics = {topic_};
    auto consumer = bus::Consumer::Create(mesh.bus(), options, this, "losing_member", metrics_);
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    consumer_ = *std::move(consumer);
    consumer_->Start();
    // The group counts as the service's own once it stands at the end everywhere.
    EXPECT_TRUE(harness::WaitUntil([&] {
      const auto soon = base::Clock::Real().Now() + std::chrono::seconds(5);
      if (!consumer_->CommitNow(soon).ok()) return false;
      const auto lags = bus::GroupTopicLag(mesh.bus(), group, topic_).Look(soon);
      return lags.ok() && std::all_of(lags->begin(), lags->end(), [](const auto& lag) { return lag.lag() == 0; });
    }));
    consumer_->Stop();
  }
  int lost() const { return lost_; }

  void OnAssigned(const bus::TopicPartition&, std::int64_t, std::string_view) override {}
  void OnRevoked(const bus::TopicPartition&, bool) override {}
  void OnRecord(bus::Record record) override {
    ++lost_;
    consumer_->MarkDone({topic_, record.partition}, record.offset);
  }

 private:
  const std::string topic_;
  telemetry::Registry metrics_;
  std::unique_ptr<bus::Consumer> consumer_;
  int lost_ = 0;  // read after Stop
};

int Say(Mesh& mesh, const std::string& user, const std::string& message) {
  return mesh.PostText("whatsapp", user, "wamid." + user + "." + message, message);
}

// A user's new message is answered: the mesh works, and what it was told before has been through.
void ExpectAnswered(Mesh& mesh, const std::string& user, const std::string& message) {
  const std::size_t seen = mesh.Screen(user).size();
  ASSERT_EQ(Say(mesh, user, message), 200);
  const std::vector<Send> screen = mesh.WaitForScreen(user, seen + 1);
  ASSERT_EQ(screen.size(), seen + 1) << message << mesh.LogEnds();
  ASSERT_NE(screen.back().text.find(message), std::string::npos) << screen.back().text;
}

void Stop(Mesh& mesh, const char* service) { mesh.process(service).Terminate(std::chrono::seconds(15)); }

void StartAgain(Mesh& mesh, const char* service) {
  ASSERT_TRUE(mesh.Restart(service).ok());
  const absl::Status ready = mesh.WaitReady(service);
  ASSERT_TRUE(ready.ok()) << ready;
}

v1::GetSessionResponse History(Mesh& mesh, const std::string& user) {
  v1::GetSessionRequest request;
  request.mutable_conversation()->set_tenant("test");
  request.mutable_conversation()->set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  request.mutable_conversation()->set_account(Mesh::AccountId("whatsapp"));
  request.mutable_conversation()->set_user(user);
  absl::StatusOr<v1::GetSessionResponse> stored;
  EXPECT_TRUE(harness::WaitUntil([&] { return (stored = mesh.session().GetSession(request, {})).ok(); }));
  if (!stored.ok()) return {};
  for (v1::HistoryTurn& turn : *stored->mutable_turns()) {  // a rebuild estimates them
    turn.clear_user_tokens();
    turn.clear_reply_tokens();
  }
  return *stored;
}

bool AllDelivered(const v1::GetSessionResponse& history, int turns) {
  if (history.turns_size() != turns) return false;
  for (const v1::HistoryTurn& turn : history.turns()) {
    const bool is_final = turn.outcome() == v1::OUTCOME_SUPERSEDED || turn.outcome() == v1::OUTCOME_DELIVERED;
    if (!is_final) return false;
  }
  return true;
}

void EmptyTheStore(Mesh& mesh) {
  mesh.redis().Stop();
  ASSERT_TRUE(mesh.redis().StartEmpty().ok());
  ASSERT_TRUE(harness::WaitUntil([&] { return mesh.IsReady("session"); }));
}

double AlreadyDone(Mesh& mesh) { return mesh.Metric("worker", R"(worker_turns_total{outcome="already_done"})"); }

TEST(ReplayTest, WhatServicesLostIsAnsweredOnceAndNothingElseIsSaidAgain) {
  Mesh& mesh = CollectingMesh();
  const std::string user = "491900000001";
  const std::string key = absl::StrCat("--key=whatsapp/", Mesh::AccountId("whatsapp"), "/", user);
  ExpectAnswered(mesh, user, "first");
  ExpectAnswered(mesh, user, "second");

  Stop(mesh, "worker");
  ASSERT_EQ(Say(mesh, user, "lost-by-a-worker"), 200);
  EXPECT_GE(LosingMember(mesh, "worker", bus::kTurns).lost(), 1);
  StartAgain(mesh, "worker");
  Stop(mesh, "sender");
  const double answered = mesh.Metric("worker", R"(worker_turns_total{outcome="answered"})");
  ASSERT_EQ(Say(mesh, user, "lost-by-a-sender"), 200);
  ASSERT_TRUE(harness::WaitUntil([&] {
    return mesh.Metric("worker", R"(worker_turns_total{outcome="answered"})") > answered;
  })) << mesh.LogEnds();
  EXPECT_GE(LosingMember(mesh, "sender", bus::kReplies).lost(), 1);
  StartAgain(mesh, "sender");
  ExpectAnswered(mesh, user, "third");

  const Mesh::CommandResult looked = mesh.Meshctl({"replay", "--from=1h", key});
  EXPECT_EQ(looked.code, 0) << looked.output;
  EXPECT_NE(looked.output.find(R"("fate":"lost")"), std::string::npos) << looked.output;
  EXPECT_NE(looked.output.find(R"("fate":"reply_lost")"), std::string::npos) << looked.output;
  EXPECT_NE(looked.output.find("5 messages, 2 to be put back; --write does it"), std::string::npos) << looked.output;
  EXPECT_EQ(looked.output.find("lost-by-a-worker\",\"text"), std::string::npos);
  const Mesh::CommandResult elsewhere = mesh.Meshctl({"replay", "--from=1h", key, "--worker-group=fleet-2"});
  EXPECT_EQ(elsewhere.code, 1) << "nothing would be lost, and everything wait: " << elsewhere.output;
  EXPECT_NE(elsewhere.output.find("--worker-group"), std::string::npos) << elsewhere.output;
  ExpectAnswered(mesh, user, "fourth");
  ASSERT_EQ(mesh.Screen(user).size(), 4u) << "looking writes nothing";

  const Mesh::CommandResult written = mesh.Meshctl({"replay", "--from=1h", key, "--write"});
  EXPECT_EQ(written.code, 0) << written.output;
  EXPECT_NE(written.output.find("put back 2"), std::string::npos) << written.output;
  const std::vector<Send> screen = mesh.WaitForScreen(user, 6);
  ASSERT_EQ(screen.size(), 6u) << mesh.LogEnds();
  for (const char* message : {"lost-by-a-worker", "lost-by-a-sender"}) {
    EXPECT_EQ(std::count_if(screen.begin(), screen.end(),
                            [&](const Send& send) { return send.in_reply_to == "wamid." + user + "." + message; }),
              1)
        << message;
  }

  // Once more, then with a store that knows nothing, so that the log alone decides.
  ASSERT_TRUE(harness::WaitUntil([&] { return AllDelivered(History(mesh, user), 6); }));
  const std::string nothing = "6 messages, 0 to be put back";
  EXPECT_NE(mesh.Meshctl({"replay", "--from=1h", key, "--write"}).output.find(nothing), std::string::npos);
  EmptyTheStore(mesh);
  EXPECT_NE(mesh.Meshctl({"replay", "--from=beginning", key, "--write"}).output.find(nothing), std::string::npos);
  // And the mechanism behind it: the same records once more, with nothing that looks before it writes.
  for (const char* message : {"first", "second", "lost-by-a-worker", "lost-by-a-sender", "third"}) {
    ASSERT_EQ(Say(mesh, user, message), 200);
    // Alone, so that it is not merged: generated again, and stopped at the ledger.
    const double reruns = mesh.Metric("worker", R"(worker_turns_total{outcome="answered"})");
    ASSERT_TRUE(harness::WaitUntil(
        [&] { return mesh.Metric("worker", R"(worker_turns_total{outcome="answered"})") > reruns; }));
  }
  ExpectAnswered(mesh, user, "fifth");
  EXPECT_EQ(mesh.Screen(user).size(), 7u) << mesh.LogEnds();
}

TEST(ReplayTest, AConversationThatIsNotInTheLogIsNamedInTheError) {
  const Mesh::CommandResult result =
      CollectingMesh().Meshctl({"replay", "--from=1h", "--key=whatsapp/100000000000001/nobody"});
  EXPECT_EQ(result.code, 1);
  EXPECT_NE(result.output.find("whatsapp/100000000000001/nobody"), std::string::npos) << result.output;
}

// Goal: rebuild brings back which messages were answered together with later ones, and who has become whom, so that
// Meta's late retries of all of them are known as finished.
TEST(RebuildTest, WebhooksRetriedAfterARebuildOnAnEmptiedStoreGetNoSecondAnswer) {
  Mesh& mesh = CollectingMesh();
  const std::string user = "491900000011";
  const std::string mover = "491900000012";
  const std::string moved = "491900000013";
  for (const char* message : {"one", "two", "three"}) ASSERT_EQ(Say(mesh, user, message), 200);
  ASSERT_EQ(mesh.WaitForScreen(user, 1).size(), 1u) << mesh.LogEnds();
  ExpectAnswered(mesh, mover, "before-the-change");
  ASSERT_EQ(mesh.PostSigned("whatsapp", ChangedNumberBody(Mesh::AccountId("whatsapp"), mover, moved)), 200);
  ASSERT_TRUE(harness::WaitUntil([&] { return History(mesh, mover).canonical().user() == moved; })) << mesh.LogEnds();
  ExpectAnswered(mesh, moved, "after-the-change");
  ASSERT_TRUE(harness::WaitUntil([&] { return AllDelivered(History(mesh, user), 3); }))
      << History(mesh, user).DebugString();
  ASSERT_TRUE(harness::WaitUntil([&] { return AllDelivered(History(mesh, moved), 2); }))
      << History(mesh, moved).DebugString();
  // Another user takes a message back and leaves; an operator pauses the conversation of a third.
  const std::string leaver = "491900000014";
  const std::string paused = "491900000015";
  const std::string account = Mesh::AccountId("whatsapp");
  ExpectAnswered(mesh, leaver, "regretted");
  ASSERT_EQ(mesh.PostSigned("whatsapp", RevokeBody(account, leaver, "wamid.revoke", "wamid." + leaver + ".regretted")),
            200);
  ASSERT_EQ(mesh.PostSigned("whatsapp", PreferenceBody(account, leaver, "stop")), 200);
  ASSERT_EQ(mesh.Meshctl({"session", "pause", "--channel=whatsapp", "--from=" + paused}).code, 0);
  ASSERT_TRUE(harness::WaitUntil([&] {
    const v1::GetSessionResponse left = History(mesh, leaver);
    return left.opted_out() && AllDelivered(left, 1) && left.turns(0).user_text().empty();
  })) << History(mesh, leaver).DebugString();
  ASSERT_TRUE(harness::WaitUntil([&] { return History(mesh, paused).paused(); })) << mesh.LogEnds();
  const std::string leaver_history = History(mesh, leaver).DebugString();
  const std::string user_history = History(mesh, user).DebugString();
  const std::string moved_history = History(mesh, moved).DebugString();
  ASSERT_NE(user_history.find("OUTCOME_SUPERSEDED"), std::string::npos) << "merged: " << user_history;

  EmptyTheStore(mesh);
  ASSERT_EQ(History(mesh, user).turns_size(), 0);
  const Mesh::CommandResult rebuilt = mesh.Meshctl({"session", "rebuild", "--from=beginning"});
  ASSERT_EQ(rebuilt.code, 0) << rebuilt.output;
  EXPECT_NE(rebuilt.output.find("1 changed identities, 1 unsent, 2 controls"), std::string::npos) << rebuilt.output;
  EXPECT_EQ(History(mesh, leaver).DebugString(), leaver_history);
  const Mesh::CommandResult shown = mesh.Meshctl({"session", "show", "--channel=whatsapp", "--from=" + paused});
  EXPECT_NE(shown.output.find("paused: a person answers"), std::string::npos) << shown.output;
  EXPECT_EQ(History(mesh, user).DebugString(), user_history);
  EXPECT_EQ(History(mesh, moved).DebugString(), moved_history);
  EXPECT_EQ(History(mesh, mover).DebugString(), moved_history);

  const double known = AlreadyDone(mesh);
  for (const char* message : {"one", "two", "three"}) ASSERT_EQ(Say(mesh, user, message), 200);
  ASSERT_EQ(Say(mesh, mover, "before-the-change"), 200);
  ASSERT_TRUE(harness::WaitUntil([&] { return AlreadyDone(mesh) >= known + 4; }))
      << AlreadyDone(mesh) << mesh.LogEnds();
  ExpectAnswered(mesh, user, "four");
  ExpectAnswered(mesh, moved, "later");
  EXPECT_EQ(mesh.Screen(user).size(), 2u);
  EXPECT_EQ(mesh.Screen(mover).size(), 1u);
  EXPECT_EQ(mesh.Screen(moved).size(), 2u);
}

// "Photo, then question": the answer is to the question, and the model knows of the photo, whose file is kept.
TEST(CollectTest, APictureBeforeAQuestionIsKnownToItsAnswer) {
  Mesh& mesh = CollectingMesh();
  const std::string user = "491830000001";
  std::string picture = WhatsAppImageBody(Mesh::AccountId("whatsapp"), user, "wamid.collect.1", "media-png-collect");
  picture.replace(picture.find(R"("image":{)"), 9, R"("image":{"caption":"look here",)");
  ASSERT_EQ(mesh.PostSigned("whatsapp", picture), 200);
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.collect.2", "what is it?"), 200);
  const std::vector<Send> screen = mesh.WaitForScreen(user, 1);
  ASSERT_EQ(screen.size(), 1u) << mesh.LogEnds();
  EXPECT_NE(screen[0].text.find("look here\n[The user sent with it: image]\nwhat is it?"), std::string::npos)
      << screen[0].text;
  EXPECT_TRUE(harness::WaitUntil([&] {
    return mesh.Metric("worker", R"(worker_media_fetches_total{channel="whatsapp",result="stored"})") == 1;
  })) << mesh.LogEnds();
  EXPECT_TRUE(std::filesystem::exists(FileOf(mesh, "whatsapp", "wamid.collect.1")));
}

}  // namespace
}  // namespace mesh_test
