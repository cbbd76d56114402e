// A lost store comes back from the log: a real broker, a real redis-server and the session service.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "libs/bus/headers.h"
#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"
#include "libs/ledger/ledger_record.h"
#include "libs/session/user_text.h"
#include "services/meshctl/operator_record.h"
#include "services/meshctl/rebuild.h"
#include "services/session/app.h"
#include "tests/integration/harness/kafka_broker.h"
#include "tests/integration/harness/redis_server.h"
#include "tests/integration/harness/wait.h"

namespace meshctl {
namespace {

namespace v1 = mesh::session::v1;
using mesh::bus::v1::ConversationId;
using mesh::bus::v1::LedgerSent;

ConversationId Conversation(const std::string& user) {
  ConversationId id;
  id.set_tenant("acme");
  id.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  id.set_account("1001");
  id.set_user(user);
  return id;
}

// The client of a session that has no room for the first call of each kind.
class BusyAtFirst final : public session::Client {
 public:
  explicit BusyAtFirst(session::Client* client) : client_(client) {}

  void LoadContext(const v1::LoadContextRequest& request, const CallOptions& options,
                   Callback<v1::LoadContextResponse> on_done) override {
    client_->LoadContext(request, options, std::move(on_done));
  }
  void AppendTurn(const v1::AppendTurnRequest& request, const CallOptions& options,
                  Callback<v1::AppendTurnResponse> on_done) override {
    HasRoom("AppendTurn") ? client_->AppendTurn(request, options, std::move(on_done)) : on_done(kBusy);
  }
  void SetOutcome(const v1::SetOutcomeRequest& request, const CallOptions& options,
                  Callback<v1::SetOutcomeResponse> on_done) override {
    HasRoom("SetOutcome") ? client_->SetOutcome(request, options, std::move(on_done)) : on_done(kBusy);
  }
  void LinkIdentity(const v1::LinkIdentityRequest& request, const CallOptions& options,
                    Callback<v1::LinkIdentityResponse> on_done) override {
    HasRoom("LinkIdentity") ? client_->LinkIdentity(request, options, std::move(on_done)) : on_done(kBusy);
  }
  void SetControl(const v1::SetControlRequest& request, const CallOptions& options,
                  Callback<v1::SetControlResponse> on_done) override {
    HasRoom("SetControl") ? client_->SetControl(request, options, std::move(on_done)) : on_done(kBusy);
  }
  void Unsend(const v1::UnsendRequest& request, const CallOptions& options,
              Callback<v1::UnsendResponse> on_done) override {
    HasRoom("Unsend") ? client_->Unsend(request, options, std::move(on_done)) : on_done(kBusy);
  }
  absl::StatusOr<v1::IsDoneResponse> IsDone(const v1::IsDoneRequest& request, const CallOptions& options) override {
    return client_->IsDone(request, options);
  }
  absl::StatusOr<v1::ForgetResponse> Forget(const v1::ForgetRequest& request, const CallOptions& options) override {
    if (!HasRoom("Forget")) return kBusy;
    return client_->Forget(request, options);
  }
  absl::StatusOr<v1::GetSessionResponse> GetSession(const v1::GetSessionRequest& request,
                                                    const CallOptions& options) override {
    return client_->GetSession(request, options);
  }
  bool connected() const override { return client_->connected(); }

  std::set<std::string> refused_once() const { return asked_; }

 private:
  static inline const absl::Status kBusy = absl::ResourceExhaustedError("4096 calls wait");
  bool HasRoom(const char* call) { return !asked_.insert(call).second; }

  session::Client* const client_;
  std::set<std::string> asked_;
};

// Writes the log as the services do and tells session what they would have told it.
class RebuildProcessTest : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    auto kafka = harness::KafkaBroker::StartNew();
    ASSERT_TRUE(kafka.ok()) << kafka.status();
    kafka_ = *std::move(kafka);
    auto redis = harness::RedisServer::StartNew();
    ASSERT_TRUE(redis.ok()) << redis.status();
    redis_ = *std::move(redis);
    session_service::Options options = session_service::DefaultOptions();
    options.grpc.port = 0;
    options.redis.port = redis_->port();
    auto app = session_service::App::Start(options, metrics_);
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
    client_ = session::Client::Create("127.0.0.1:" + std::to_string(app_->port()));
    rebuild_.bus.brokers = kafka_->address();
    rebuild_.bus.partitions = 3;
    rebuild_.progress = false;
    ASSERT_TRUE(bus::EnsureTopics(rebuild_.bus, base::Clock::Real().Now() + std::chrono::seconds(30)).ok());
    auto producer = bus::Producer::Create(rebuild_.bus, {}, "test", metrics_);
    ASSERT_TRUE(producer.ok()) << producer.status();
    producer_ = *std::move(producer);
    ASSERT_TRUE(harness::WaitUntil([&] { return client_->connected() && app_->Ready() == app::Readiness::Ready(); }));
  }

  std::int64_t Write(std::string_view topic, const ConversationId& conversation, const google::protobuf::Message& value,
                     const std::string& key = "") {
    bus::OutgoingRecord record;
    record.topic = bus::TopicName(rebuild_.bus, topic);
    record.key = key.empty() ? identity::KeyOf(conversation).value() : key;
    record.partition = bus::PartitionFor(identity::KeyOf(conversation).value(), rebuild_.bus.partitions);
    record.value = value.SerializeAsString();
    const auto position = producer_->ProduceAndWait(std::move(record));
    EXPECT_TRUE(position.ok()) << position.status();
    return position.ok() ? position->offset : -1;
  }
  // Returns the turn; told to session once its reply is.
  std::pair<mesh::bus::v1::Turn, std::int64_t> WriteTurn(const ConversationId& conversation, const std::string& message,
                                                         const std::string& text) {
    mesh::bus::v1::Turn turn;
    *turn.mutable_conversation() = conversation;
    turn.set_turn_id(identity::MakeTurnId(conversation, message).value());
    turn.set_message_id(message);
    turn.set_kind(mesh::bus::v1::TURN_KIND_MESSAGE);
    turn.set_type("image");
    turn.set_text(text);
    turn.set_accepted_at_ms(1'700'000'000'000 + ++messages_);
    turn_ids_.push_back(turn.turn_id());
    return {turn, Write(bus::kTurns, conversation, turn)};
  }
  std::int64_t WriteReply(const mesh::bus::v1::Turn& turn, const std::string& text) {
    mesh::bus::v1::ReplyRecord reply;
    *reply.mutable_reply()->mutable_conversation() = turn.conversation();
    reply.mutable_reply()->set_turn_id(turn.turn_id());
    reply.mutable_reply()->set_text(text);
    return Write(bus::kReplies, turn.conversation(), reply);
  }
  void Append(const mesh::bus::v1::Turn& turn, std::int64_t turns_offset, const std::string& reply,
              std::int64_t replies_offset) {
    v1::AppendTurnRequest request;
    *request.mutable_conversation() = turn.conversation();
    request.mutable_turn()->set_turn_id(turn.turn_id());
    request.mutable_turn()->set_user_text(session::UserText(turn));
    request.mutable_turn()->set_reply_text(reply);
    request.mutable_turn()->set_accepted_at_ms(turn.accepted_at_ms());
    request.mutable_turn()->set_turns_offset(turns_offset);
    request.mutable_turn()->set_replies_offset(replies_offset);
    std::promise<absl::Status> done;
    client_->AppendTurn(request, {}, [&](const auto& response) { done.set_value(response.status()); });
    const absl::Status status = done.get_future().get();
    EXPECT_TRUE(status.ok()) << status;
  }
  // In the ledger and to session.
  void Settle(const mesh::bus::v1::Turn& turn, LedgerSent::Outcome sent, v1::Outcome outcome) {
    mesh::bus::v1::Reply reply;
    reply.set_turn_id(turn.turn_id());
    *reply.mutable_conversation() = turn.conversation();
    std::vector<mesh::bus::v1::OutboundPart> parts(1);
    parts[0].set_text("part");
    const ledger::LedgerEntry plan = ledger::MakePlan(reply, parts, /*replies_offset=*/0, /*term=*/1, 0);
    Write(bus::kSendLedger, turn.conversation(), plan.record, plan.key);
    ledger::LedgerEntry settled = ledger::MakeSent(
        identity::MakeReplyId(identity::TurnId(turn.turn_id()), 0, reply.kind(), 0), /*term=*/1, 0, "", 0);
    settled.record.mutable_sent()->set_outcome(sent);
    Write(bus::kSendLedger, turn.conversation(), settled.record, settled.key);
    Report(turn, outcome);
  }
  void Report(const mesh::bus::v1::Turn& turn, v1::Outcome outcome) {
    v1::SetOutcomeRequest request;
    *request.mutable_conversation() = turn.conversation();
    request.set_turn_id(turn.turn_id());
    request.set_outcome(outcome);
    std::promise<absl::Status> done;
    client_->SetOutcome(request, {}, [&](const auto& response) { done.set_value(response.status()); });
    const absl::Status status = done.get_future().get();
    EXPECT_TRUE(status.ok()) << status;
  }
  void Say(const ConversationId& conversation, const std::string& message, const std::string& text,
           LedgerSent::Outcome sent = LedgerSent::OUTCOME_SENT, v1::Outcome outcome = v1::OUTCOME_SENT) {
    const auto [turn, turns_offset] = WriteTurn(conversation, message, text);
    const std::string reply = "answer to " + message;
    const std::int64_t replies_offset = WriteReply(turn, reply);
    WriteReply(turn, "other words of a re-run");
    Append(turn, turns_offset, reply, replies_offset);
    Settle(turn, sent, outcome);
  }
  // Answered together with a later message: its Supersede, the worker's projection, the sender's record and report.
  void Merge(const ConversationId& conversation, const std::string& message, const std::string& text) {
    const auto [turn, turns_offset] = WriteTurn(conversation, message, text);
    mesh::bus::v1::ReplyRecord supersede;
    supersede.mutable_supersede()->set_turn_id(turn.turn_id());
    *supersede.mutable_supersede()->mutable_conversation() = conversation;
    Append(turn, turns_offset, "", Write(bus::kReplies, conversation, supersede));
    const ledger::LedgerEntry entry = ledger::MakeSupersede(
        turn.turn_id(), conversation, mesh::bus::v1::DROP_POLICY_SUPERSEDED, /*replies_offset=*/0, 0);
    Write(bus::kSendLedger, conversation, entry.record, entry.key);
    Report(turn, v1::OUTCOME_SUPERSEDED);
  }
  // As the gateway writes it, on the old key, and the worker tells it.
  void ChangeNumber(const std::string& from, const std::string& to) {
    mesh::bus::v1::Turn turn;
    *turn.mutable_conversation() = Conversation(from);
    turn.set_message_id("change");
    turn.set_turn_id(identity::MakeTurnId(turn.conversation(), "change").value());
    turn.set_kind(mesh::bus::v1::TURN_KIND_IDENTITY_CHANGE);
    turn.set_type("system");
    turn.set_original(R"({"system":{"type":"user_changed_number","wa_id":")" + to + R"("}})");
    turn.set_accepted_at_ms(1'700'000'000'000 + ++messages_);
    Write(bus::kTurns, turn.conversation(), turn);
    v1::LinkIdentityRequest request;
    *request.mutable_old_conversation() = Conversation(from);
    *request.mutable_new_conversation() = Conversation(to);
    request.set_changed_at_ms(turn.accepted_at_ms());
    std::promise<absl::Status> done;
    client_->LinkIdentity(request, {}, [&](const auto& response) { done.set_value(response.status()); });
    const absl::Status status = done.get_future().get();
    EXPECT_TRUE(status.ok()) << status;
  }
  // Records as gateway and meshctl write them, and what the worker tells of them.
  void Unsend(const ConversationId& conversation, const std::string& message) {
    mesh::bus::v1::Turn turn;
    *turn.mutable_conversation() = conversation;
    turn.set_message_id("unsend of " + message);
    turn.set_turn_id(identity::MakeTurnId(conversation, turn.message_id()).value());
    turn.set_kind(mesh::bus::v1::TURN_KIND_UNSEND);
    turn.set_target_turn_id(identity::MakeTurnId(conversation, message).value());
    Write(bus::kTurns, conversation, turn);
    v1::UnsendRequest request;
    *request.mutable_conversation() = conversation;
    request.set_turn_id(turn.target_turn_id());
    std::promise<absl::Status> done;
    client_->Unsend(request, {}, [&](const auto& response) { done.set_value(response.status()); });
    const absl::Status status = done.get_future().get();
    EXPECT_TRUE(status.ok()) << status;
  }
  void Control(const ConversationId& conversation, mesh::bus::v1::ControlAction action) {
    const auto written =
        producer_->ProduceAndWait(ControlRecord(conversation, action, rebuild_.bus, 1'700'000'002'000 + ++messages_));
    ASSERT_TRUE(written.ok()) << written.status();
    v1::SetControlRequest request;
    *request.mutable_conversation() = conversation;
    request.set_action(action);
    request.set_turns_offset(written->offset);
    std::promise<absl::Status> done;
    client_->SetControl(request, {}, [&](const auto& response) { done.set_value(response.status()); });
    const absl::Status status = done.get_future().get();
    EXPECT_TRUE(status.ok()) << status;
  }
  bool IsUnsent(const ConversationId& conversation, const std::string& message) {
    v1::LoadContextRequest request;
    *request.mutable_conversation() = conversation;
    request.set_turn_id(identity::MakeTurnId(conversation, message).value());
    std::promise<bool> unsent;
    client_->LoadContext(request, {},
                         [&](const auto& response) { unsent.set_value(response.ok() && response->unsent()); });
    return unsent.get_future().get();
  }
  void DeleteSoFar(const ConversationId& conversation) {
    const auto written = producer_->ProduceAndWait(ForgetRecord(conversation, {}, rebuild_.bus, 1'700'000'001'000));
    ASSERT_TRUE(written.ok()) << written.status();
    v1::ForgetRequest request;
    *request.mutable_conversation() = conversation;
    request.set_turns_offset(written->offset);
    EXPECT_TRUE(client_->Forget(request, {}).ok());
  }

  void LoseTheStore() {
    redis_->Stop();
    ASSERT_TRUE(redis_->StartEmpty().ok());
    v1::GetSessionRequest any;  // the pool finds its old connections closed, one call each
    *any.mutable_conversation() = Conversation("ann");
    ASSERT_TRUE(harness::WaitUntil(
        [&] { return app_->Ready() == app::Readiness::Ready() && client_->GetSession(any, {}).ok(); }));
  }

  // All but the token counts, which a rebuild estimates.
  std::string History(const std::string& user) {
    v1::GetSessionRequest request;
    *request.mutable_conversation() = Conversation(user);
    auto stored = client_->GetSession(request, {});
    EXPECT_TRUE(stored.ok()) << stored.status();
    if (!stored.ok()) return "";
    for (v1::HistoryTurn& turn : *stored->mutable_turns()) {
      turn.clear_user_tokens();
      turn.clear_reply_tokens();
    }
    return stored->DebugString();
  }
  bool AllDone() {
    v1::IsDoneRequest request;
    for (const std::string& id : turn_ids_) request.add_turn_ids(id);
    const auto done = client_->IsDone(request, {});
    EXPECT_TRUE(done.ok()) << done.status();
    return done.ok() && std::all_of(done->done().begin(), done->done().end(), [](bool one) { return one; });
  }
  RebuildResult RebuildNow() {
    RebuildResult result;
    const absl::Status status = Rebuild(rebuild_, client_.get(), &result);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(result.refused, 0);
    EXPECT_EQ(result.unjoined, 0);
    return result;
  }

  telemetry::Registry metrics_;
  std::unique_ptr<harness::KafkaBroker> kafka_;
  std::unique_ptr<harness::RedisServer> redis_;
  std::unique_ptr<session_service::App> app_;
  std::unique_ptr<session::Client> client_;
  std::unique_ptr<bus::Producer> producer_;
  RebuildOptions rebuild_;
  std::vector<std::string> turn_ids_;  // all that were answered
  std::int64_t messages_ = 0;
};

// Goal: after Redis was lost the conversations are what they were, deletions included, and no retried webhook is
// answered again; a second rebuild, beside what was said meanwhile, changes nothing.
TEST_F(RebuildProcessTest, ALostStoreComesBackWholeAndOnlyOnce) {
  for (int i = 0; i < 20; ++i) {
    const std::string number = std::to_string(i);
    Say(Conversation("ann"), "a" + number, "question " + number);
    Say(Conversation("bob"), "b" + number, i == 3 ? "" : "question " + number);
  }
  Say(Conversation("ann"), "failed", "nobody saw the answer", LedgerSent::OUTCOME_FAILED, v1::OUTCOME_FAILED);
  Say(Conversation("eve"), "secret", "a secret");
  DeleteSoFar(Conversation("eve"));
  Say(Conversation("eve"), "later", "something else");
  const std::vector<std::string> users = {"ann", "bob", "eve"};
  std::vector<std::string> before;
  for (const std::string& user : users) before.push_back(History(user));
  ASSERT_NE(before[0].find("OUTCOME_FAILED"), std::string::npos);
  ASSERT_EQ(before[2].find("a secret"), std::string::npos);
  ASSERT_TRUE(AllDone());

  LoseTheStore();
  ASSERT_EQ(History("ann").find("question"), std::string::npos);
  ASSERT_FALSE(AllDone());

  const RebuildResult result = RebuildNow();
  EXPECT_EQ(result.turns, 43);
  EXPECT_EQ(result.outcomes, 43);
  EXPECT_EQ(result.deletions, 1);
  for (std::size_t i = 0; i < users.size(); ++i) EXPECT_EQ(History(users[i]), before[i]) << users[i];
  EXPECT_TRUE(AllDone()) << "a retried webhook would be answered again";

  Say(Conversation("eve"), "after", "said after the rebuild");
  const std::string eve = History("eve");
  RebuildNow();
  EXPECT_EQ(History("ann"), before[0]);
  EXPECT_EQ(History("eve"), eve) << "the deletion is repeated, and must not reach what was said since";
}

// Goal: what is no pair of message and reply comes back too: messages that were answered together with a later one, and
// the history of a user whose number changed, twice, in whichever partitions the numbers are.
TEST_F(RebuildProcessTest, MergedMessagesAndChangedNumbersComeBack) {
  Merge(Conversation("ann"), "a1", "the red one");
  Merge(Conversation("ann"), "a2", "no, the blue one");
  Say(Conversation("ann"), "a3", "please");
  Say(Conversation("old"), "o1", "under the first number");
  ChangeNumber("old", "newer");
  Say(Conversation("newer"), "n1", "under the second number");
  ChangeNumber("newer", "newest");
  Say(Conversation("newest"), "n2", "under the third number");
  const std::string ann = History("ann");
  ASSERT_NE(ann.find("no, the blue one"), std::string::npos);
  ASSERT_NE(ann.find("OUTCOME_SUPERSEDED"), std::string::npos);
  const std::string moved = History("old");
  ASSERT_NE(moved.find("under the first number"), std::string::npos);
  ASSERT_NE(moved.find("under the third number"), std::string::npos);

  LoseTheStore();
  ASSERT_FALSE(AllDone());
  const RebuildResult result = RebuildNow();
  EXPECT_EQ(result.links, 2);
  EXPECT_EQ(History("ann"), ann);
  EXPECT_EQ(History("old"), moved) << "the history and who has it now";
  EXPECT_EQ(History("newest"), moved);
  EXPECT_TRUE(AllDone()) << "a retried webhook would be answered again";
  RebuildNow();
  EXPECT_EQ(History("newest"), moved);
}

// Goal: who answers and what was taken back is what it was, also across a deletion and a changed number.
TEST_F(RebuildProcessTest, WhoAnswersAndUnsentMessagesComeBack) {
  Say(Conversation("ann"), "a1", "a question");
  Say(Conversation("ann"), "a2", "taken-back words");
  Unsend(Conversation("ann"), "a2");
  Unsend(Conversation("ann"), "a3");  // comes before its message
  Control(Conversation("ann"), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  Control(Conversation("ann"), mesh::bus::v1::CONTROL_ACTION_RESUME);
  Control(Conversation("ann"), mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  Control(Conversation("bob"), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  Control(Conversation("eve"), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  Control(Conversation("eve"), mesh::bus::v1::CONTROL_ACTION_OPT_OUT);
  DeleteSoFar(Conversation("eve"));
  Control(Conversation("old"), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  ChangeNumber("old", "newer");
  const std::vector<std::string> users = {"ann", "bob", "eve", "old"};
  std::vector<std::string> before;
  for (const std::string& user : users) before.push_back(History(user));
  ASSERT_EQ(before[0].find("taken-back"), std::string::npos);
  ASSERT_EQ(before[0].find("paused"), std::string::npos) << before[0];
  ASSERT_NE(before[0].find("opted_out"), std::string::npos) << before[0];
  ASSERT_NE(before[1].find("paused"), std::string::npos) << before[1];
  ASSERT_EQ(before[2].find("paused"), std::string::npos) << before[2];
  ASSERT_NE(before[2].find("opted_out"), std::string::npos) << before[2];
  ASSERT_NE(before[3].find("paused"), std::string::npos) << before[3];

  LoseTheStore();
  ASSERT_FALSE(IsUnsent(Conversation("ann"), "a3"));
  const RebuildResult result = RebuildNow();
  EXPECT_EQ(result.unsent, 2);
  EXPECT_EQ(result.controls, 7);
  for (std::size_t i = 0; i < users.size(); ++i) EXPECT_EQ(History(users[i]), before[i]) << users[i];
  EXPECT_TRUE(IsUnsent(Conversation("ann"), "a3"));
  RebuildNow();
  for (std::size_t i = 0; i < users.size(); ++i) EXPECT_EQ(History(users[i]), before[i]) << users[i];
}

// Goal: a session that has no room for a call, as it says under load, does not end the rebuild, whichever call it is.
TEST_F(RebuildProcessTest, ABusySessionIsAskedAgain) {
  Say(Conversation("ann"), "a1", "a question");
  Unsend(Conversation("ann"), "a2");
  Control(Conversation("ann"), mesh::bus::v1::CONTROL_ACTION_PAUSE);
  Say(Conversation("eve"), "e1", "a secret");
  DeleteSoFar(Conversation("eve"));
  Say(Conversation("old"), "o1", "under the first number");
  ChangeNumber("old", "newer");
  const std::vector<std::string> users = {"ann", "eve", "newer"};
  std::vector<std::string> before;
  for (const std::string& user : users) before.push_back(History(user));

  LoseTheStore();
  BusyAtFirst busy(client_.get());
  RebuildResult result;
  const absl::Status status = Rebuild(rebuild_, &busy, &result);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(busy.refused_once().size(), 6u) << "a call that was not made was not tried";
  EXPECT_EQ(result.refused, 0);
  for (std::size_t i = 0; i < users.size(); ++i) EXPECT_EQ(History(users[i]), before[i]) << users[i];
}

// A store restored from a backup lacks the newest turns only, and the rebuild may begin shortly before.
TEST_F(RebuildProcessTest, AStoreThatIsBehindIsBroughtUpToDateFromATime) {
  Say(Conversation("ann"), "old", "an old question");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  rebuild_.from_ms = base::Clock::Real().WallMs();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto [turn, turns_offset] = WriteTurn(Conversation("ann"), "new", "a new question");
  WriteReply(turn, "a new answer");
  EXPECT_EQ(History("ann").find("a new question"), std::string::npos);
  const RebuildResult result = RebuildNow();
  EXPECT_EQ(result.turns, 1) << "the old one is not read";
  const std::string history = History("ann");
  EXPECT_LT(history.find("an old question"), history.find("a new question"));
  EXPECT_NE(history.find("a new answer"), std::string::npos);
}

}  // namespace
}  // namespace meshctl
