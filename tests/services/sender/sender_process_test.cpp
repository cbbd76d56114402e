// The sender as a process, against a real Kafka broker and an HTTP server that plays the Graph API and can misbehave.
// The session service is away all the time: sends do not wait for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "libs/base/hex.h"
#include "libs/bus/dead_letter.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/headers.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "libs/crypto/digest.h"
#include "libs/http/client.h"
#include "libs/http/server.h"
#include "libs/identity/identity.h"
#include "tests/integration/harness/child_process.h"
#include "tests/integration/harness/kafka_broker.h"
#include "tests/integration/harness/net.h"
#include "tests/integration/harness/temp_dir.h"
#include "tests/integration/harness/wait.h"

namespace sender {
namespace {

using harness::WaitUntil;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

// Plays the Graph API: remembers every POST and answers as told.
class GraphEndpoint {
 public:
  enum class Answer { kAccept, kHang, kDeadToken };

  void Start() {
    http::ServerOptions options;
    options.handler_timeout = seconds(60);
    auto server = http::Server::Create(options, "graph", metrics_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    server_->Add({"POST", "/*", "send", 0, [this](http::Request request, http::Responder respond) {
                    std::lock_guard lock(mutex_);
                    http::Response response;
                    response.content_type = "application/json";
                    const Answer answer = answer_;
                    requests_.push_back(request);
                    if (answer == Answer::kHang) return hung_.push_back(respond);
                    if (answer == Answer::kDeadToken && request.Header("authorization") == "Bearer old") {
                      response.status = 401;
                      response.body = R"({"error":{"message":"expired","type":"OAuthException","code":190}})";
                    } else {
                      response.body = R"({"messaging_product":"whatsapp","messages":[{"id":"wamid.)" +
                                      std::to_string(requests_.size()) + R"("}]})";
                    }
                    respond(response);
                  }});
    ASSERT_TRUE(server_->Start().ok());
  }

  void Be(Answer answer) {
    std::lock_guard lock(mutex_);
    answer_ = answer;
  }
  std::vector<http::Request> requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  // Bodies whose text is `text`.
  int CountOf(const std::string& text) const {
    int count = 0;
    for (const http::Request& request : requests()) count += request.body.find("\"" + text + "\"") != std::string::npos;
    return count;
  }
  std::uint16_t port() const { return server_->port(); }

 private:
  telemetry::Registry metrics_;
  mutable std::mutex mutex_;
  std::vector<http::Request> requests_;
  std::vector<http::Responder> hung_;
  Answer answer_ = Answer::kAccept;
  std::unique_ptr<http::Server> server_;
};

class SenderProcessTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto broker = harness::KafkaBroker::StartNew();
    ASSERT_TRUE(broker.ok()) << broker.status();
    broker_ = *std::move(broker);
  }
  static void TearDownTestSuite() { broker_.reset(); }

  void SetUp() override {
    ASSERT_NE(broker_, nullptr);
    static int installation = 0;
    bus_.brokers = broker_->address();
    bus_.topic_prefix = "t" + std::to_string(++installation) + ".";  // its own topics and groups
    bus_.partitions = 2;
    ASSERT_TRUE(bus::EnsureTopics(bus_, base::Clock::Real().Now() + seconds(20)).ok());
    auto producer = bus::Producer::Create(bus_, {}, "test", metrics_);
    ASSERT_TRUE(producer.ok()) << producer.status();
    producer_ = *std::move(producer);
    auto client = http::Client::Create({}, "test", metrics_);
    ASSERT_TRUE(client.ok()) << client.status();
    http_ = *std::move(client);
    graph_.Start();
    WriteToken("old");
    std::ofstream(dir_.File("accounts.yaml")) << "accounts:\n"
                                                 "  - tenant: acme\n    channel: whatsapp\n    account_id: \"1001\"\n"
                                                 "    development: true\n"
                                                 "    app_secret_file: token\n    verify_token_file: token\n"
                                                 "    access_token_file: token\n    graph_base_url: http://127.0.0.1:"
                                              << graph_.port() << "\n";
  }

  void WriteToken(const std::string& token) { std::ofstream(dir_.File("token"), std::ios::trunc) << token; }

  static std::string Program(const std::string& name) {
    const char* bin = std::getenv("MESH_BIN_DIR");
    return (bin == nullptr ? std::string("build/bin") : std::string(bin)) + "/" + name;
  }

  void StartSender(std::int32_t drain_deadline_s = 25) {
    admin_port_ = harness::FreePort();
    auto started = harness::ChildProcess::Start(
        {.command = {Program("sender"), "--kafka-brokers=" + bus_.brokers, "--kafka-topic-prefix=" + bus_.topic_prefix,
                     "--kafka-partitions=2", "--accounts=" + dir_.File("accounts.yaml"), "--session-target=127.0.0.1:1",
                     "--admin-port=" + std::to_string(admin_port_), "--lease-ms=1000", "--post-timeout-ms=3000",
                     "--reconcile-ms=6000", "--park-probe-s=3600",
                     "--drain-deadline-s=" + std::to_string(drain_deadline_s)},
         .log_path = dir_.File("sender.log"),
         .environment = {}});
    ASSERT_TRUE(started.ok()) << started.status();
    sender_ = *std::move(started);
    ASSERT_TRUE(WaitUntil([&] { return Admin("/readyz").starts_with("200"); }, seconds(30)));
  }

  // "200 <body>", or why there is no answer.
  std::string Admin(const std::string& path) const {
    http::ClientRequest request;
    request.method = "GET";
    request.url = "http://127.0.0.1:" + std::to_string(admin_port_) + path;
    request.deadline = base::Clock::Real().Now() + seconds(2);
    const http::ClientResult result = http_->SendAndWait(std::move(request));
    if (!result.ok) return result.failure.status.ToString();
    return std::to_string(result.response.status) + " " + result.response.body;
  }

  mesh::bus::v1::ConversationId Conversation(const std::string& user) const {
    mesh::bus::v1::ConversationId conversation;
    conversation.set_tenant("acme");
    conversation.set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
    conversation.set_account("1001");
    conversation.set_user(user);
    return conversation;
  }
  static std::string TurnId(const std::string& turn) { return std::string(crypto::AsBytes(crypto::Sha256(turn))); }

  void Produce(std::string_view topic, const std::string& user, const std::string& value) {
    bus::OutgoingRecord record;
    record.topic = bus::TopicName(bus_, topic);
    record.key = identity::KeyOf(Conversation(user)).value();
    record.value = value;
    const bool is_status = topic == bus::kStatuses;
    record.headers =
        bus::MakeHeaders(trace_, is_status ? "mesh.bus.v1.DeliveryStatus" : "mesh.bus.v1.ReplyRecord", "id", "test", 0);
    const auto written = producer_->ProduceAndWait(std::move(record));
    ASSERT_TRUE(written.ok()) << written.status();
  }
  void Say(const std::string& user, const std::string& turn, const std::string& text) {
    mesh::bus::v1::ReplyRecord record;
    record.mutable_reply()->set_turn_id(TurnId(turn));
    *record.mutable_reply()->mutable_conversation() = Conversation(user);
    record.mutable_reply()->set_text(text);
    Produce(bus::kReplies, user, record.SerializeAsString());
  }
  void Status(const std::string& user, const std::string& turn, mesh::bus::v1::DeliveryState state) {
    mesh::bus::v1::DeliveryStatus status;
    *status.mutable_conversation() = Conversation(user);
    status.set_message_id("wamid.status");
    status.set_state(state);
    status.set_reply_id_hex(base::ToHex(
        identity::MakeReplyId(identity::TurnId(TurnId(turn)), 0, mesh::bus::v1::REPLY_KIND_ANSWER, 0).value()));
    status.set_accepted_at_ms(base::Clock::Real().WallMs());
    Produce(bus::kStatuses, user, status.SerializeAsString());
  }

  template <typename Message>
  std::vector<Message> ReadAll(std::string_view topic) {
    std::vector<Message> messages;
    const base::MonotonicTime deadline = base::Clock::Real().Now() + seconds(20);
    const auto partitions = bus::PartitionsOf(bus_, bus::TopicName(bus_, topic), deadline);
    EXPECT_TRUE(partitions.ok()) << partitions.status();
    if (!partitions.ok()) return messages;
    const absl::Status status = bus::ReadThrough(
        bus_, "test", *partitions,
        [&](const bus::Record& record) {
          Message message;
          EXPECT_TRUE(message.ParseFromString(record.value));
          messages.push_back(message);
          return true;
        },
        deadline);
    EXPECT_TRUE(status.ok()) << status;
    return messages;
  }
  // Ledger records about a turn's only part: P plan, C claim, S sent, F failed, D dropped, R released, K parked.
  std::string ShapeOf(const std::string& turn) {
    const std::string reply =
        identity::MakeReplyId(identity::TurnId(TurnId(turn)), 0, mesh::bus::v1::REPLY_KIND_ANSWER, 0).value();
    std::string shape;
    for (const auto& record : ReadAll<mesh::bus::v1::LedgerRecord>(bus::kSendLedger)) {
      if (record.has_plan() && record.plan().turn_id() == TurnId(turn)) shape += 'P';
      if (record.has_claim() && record.claim().reply_id() == reply) shape += 'C';
      if (record.has_sent() && record.sent().reply_id() == reply) shape += "?SFDRK"[record.sent().outcome()];
    }
    return shape;
  }

  static std::unique_ptr<harness::KafkaBroker> broker_;
  harness::TempDir dir_;
  telemetry::Registry metrics_;
  bus::BusOptions bus_;
  telemetry::TraceContext trace_ = telemetry::TraceContext::NewRoot();
  std::unique_ptr<bus::Producer> producer_;
  GraphEndpoint graph_;
  std::unique_ptr<http::Client> http_;
  std::uint16_t admin_port_ = 0;
  std::unique_ptr<harness::ChildProcess> sender_;
};

std::unique_ptr<harness::KafkaBroker> SenderProcessTest::broker_;

TEST_F(SenderProcessTest, ARecordInRepliesBecomesOneAuthorisedTracedPost) {
  StartSender();
  Say("ann", "t1", "hello");
  Say("ann", "t1", "hello again, by a re-run");
  Say("ann", "t2", "next");
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("next") == 1; }));
  ASSERT_EQ(graph_.requests().size(), 2u);
  const http::Request post = graph_.requests()[0];
  EXPECT_EQ(post.path, "/v25.0/1001/messages");
  EXPECT_EQ(post.Header("authorization"), "Bearer old");
  EXPECT_THAT(std::string(post.Header("traceparent")), HasSubstr(trace_.trace_id));
  EXPECT_EQ(post.Header("content-type"), "application/json");
  EXPECT_TRUE(WaitUntil([&] { return ShapeOf("t2") == "PCS"; }));
  EXPECT_EQ(ShapeOf("t1"), "PCS");
  EXPECT_THAT(Admin("/metrics"), HasSubstr("sender_sends_total{channel=\"whatsapp\",outcome=\"sent\"} 2"));
}

TEST_F(SenderProcessTest, TermDrainsAndARestartGoesOnWithoutRepeating) {
  StartSender();
  Say("ann", "t1", "one");
  ASSERT_TRUE(WaitUntil([&] { return ShapeOf("t1") == "PCS"; }));
  EXPECT_EQ(sender_->Terminate(seconds(20)), 0);
  Say("ann", "t2", "two");
  StartSender();
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("two") == 1; }));
  EXPECT_EQ(graph_.CountOf("one"), 1);
}

// Goal: what waits for a broker that hangs, one step after the other, ends before the process is ended.
// Method: a POST that hangs, then neither groups that can be left nor records that can be written: every step of the
//         drain uses its share.
TEST_F(SenderProcessTest, TermEndsInTimeWithAClaimInHandWhileTheBrokerHangs) {
  graph_.Be(GraphEndpoint::Answer::kHang);
  StartSender(/*drain_deadline_s=*/10);
  Say("ann", "t1", "one");
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("one") == 1; }));
  broker_->Pause();
  const int code = sender_->Terminate(seconds(20));
  broker_->Resume();
  EXPECT_EQ(code, 0) << "the runner ends with 1 what is not over in time";
  std::ifstream log(dir_.File("sender.log"));
  const std::string text(std::istreambuf_iterator<char>(log), {});
  EXPECT_THAT(text, HasSubstr("consumer_group_not_left")) << text;
}

TEST_F(SenderProcessTest, KilledInsideThePostItIsNotSentAgainWhenAStatusShowsThatItArrived) {
  graph_.Be(GraphEndpoint::Answer::kHang);
  StartSender();
  Say("ann", "t1", "hello");
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("hello") == 1; }));
  sender_->Kill();
  graph_.Be(GraphEndpoint::Answer::kAccept);
  StartSender();
  Status("ann", "t1", mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  Say("ann", "t2", "next");
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("next") == 1; }, seconds(60)))
      << "the doubt holds up its conversation until it ends";
  EXPECT_EQ(graph_.CountOf("hello"), 1);
  EXPECT_EQ(ShapeOf("t1"), "PCS");
}

TEST_F(SenderProcessTest, KilledInsideThePostAndNoStatusItIsResentOnceAfterTheReconciliationTime) {
  graph_.Be(GraphEndpoint::Answer::kHang);
  StartSender();
  Say("ann", "t1", "hello");
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("hello") == 1; }));
  sender_->Kill();
  graph_.Be(GraphEndpoint::Answer::kAccept);
  StartSender();
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("hello") == 2; }, seconds(60)));
  ASSERT_TRUE(WaitUntil([&] { return ShapeOf("t1") == "PCCS"; }));
  EXPECT_THAT(Admin("/metrics"), HasSubstr("sender_in_doubt_total{resolution=\"resend\"} 1"));
}

TEST_F(SenderProcessTest, DeadTokenWaitsAndANewTokenFileSendsAtOnceInOrder) {
  graph_.Be(GraphEndpoint::Answer::kDeadToken);
  StartSender();
  Say("ann", "t1", "one");
  Say("ann", "t2", "two");
  ASSERT_TRUE(WaitUntil([&] { return Admin("/metrics").find("sender_parked_accounts 1") != std::string::npos; }));
  WriteToken("new");
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("two") == 1; })) << Admin("/metrics");
  std::vector<std::string> tokens;
  for (const http::Request& request : graph_.requests()) tokens.emplace_back(request.Header("authorization"));
  EXPECT_THAT(tokens, ElementsAre("Bearer old", "Bearer new", "Bearer new"));
}

// Goal: a dead token costs no reply, no order and no second copy, whenever the sender dies.
// Method: the token dies, 20 replies of three users are parked, the sender is killed; the token is renewed, and once a
// few have arrived the sender is killed again. Statuses tell of every send that was seen, as the platform would.
TEST_F(SenderProcessTest, TwentyRepliesOfADeadTokenComeBackOnceAndInOrderThroughTwoKills) {
  graph_.Be(GraphEndpoint::Answer::kDeadToken);
  StartSender();
  const auto user_of = [](int i) { return "user" + std::to_string(i % 3); };
  const auto text_of = [](int i) { return "reply " + std::to_string(i); };
  for (int i = 0; i < 20; ++i) Say(user_of(i), "t" + std::to_string(i), text_of(i));
  ASSERT_TRUE(WaitUntil([&] { return ReadAll<mesh::bus::v1::ReplyRecord>(bus::kParked).size() == 20; }, seconds(30)));
  EXPECT_TRUE(WaitUntil([&] { return Admin("/metrics").find("sender_parked_replies 20") != std::string::npos; }))
      << Admin("/metrics");
  sender_->Kill();
  StartSender();
  const auto accepted = [&] {
    std::vector<std::string> bodies;
    for (const http::Request& request : graph_.requests()) {
      if (request.Header("authorization") == "Bearer new") bodies.push_back(request.body);
    }
    return bodies;
  };
  const auto arrived = [&](int i) {
    const std::vector<std::string> bodies = accepted();
    return std::count_if(bodies.begin(), bodies.end(), [&](const std::string& body) {
      return body.find("\"" + text_of(i) + "\"") != std::string::npos;
    });
  };
  WriteToken("new");
  ASSERT_TRUE(WaitUntil([&] { return accepted().size() >= 3; }, seconds(60)));
  sender_->Kill();
  for (int i = 0; i < 20; ++i) {
    if (arrived(i) > 0) Status(user_of(i), "t" + std::to_string(i), mesh::bus::v1::DELIVERY_STATE_DELIVERED);
  }
  Say("user0", "later", "said last");
  StartSender();
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("said last") == 1; }, seconds(60))) << Admin("/metrics");
  ASSERT_TRUE(WaitUntil([&] { return accepted().size() >= 21; }, seconds(60)));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(arrived(i), 1) << text_of(i);
  std::map<std::string, int> last;
  for (const std::string& body : accepted()) {
    const std::size_t at = body.find("reply ");
    if (at == std::string::npos) continue;
    const int number = std::stoi(body.substr(at + 6));
    const auto [found, first] = last.emplace(user_of(number), number);
    EXPECT_TRUE(first || found->second < number) << body;
    found->second = number;
  }
}

TEST_F(SenderProcessTest, AReplyParkedInDoubtIsSentAgainWhenAnOperatorSaysSo) {
  graph_.Be(GraphEndpoint::Answer::kHang);
  StartSender();
  Say("ann", "t1", "hello");
  ASSERT_TRUE(WaitUntil([&] { return ShapeOf("t1") == "PCCK"; }, seconds(60))) << "in doubt twice";
  graph_.Be(GraphEndpoint::Answer::kAccept);
  Say("ann", "t2", "next");
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("next") == 1; }));
  const auto run_meshctl = [&](const std::string& log) {
    const auto code =
        harness::RunToEnd({.command = {Program("meshctl"), "parked", "requeue", "--all",
                                       "--kafka-brokers=" + bus_.brokers, "--kafka-topic-prefix=" + bus_.topic_prefix},
                           .log_path = dir_.File(log),
                           .environment = {}},
                          seconds(60));
    ASSERT_TRUE(code.ok()) << code.status();
    EXPECT_EQ(*code, 0);
  };
  ASSERT_TRUE(WaitUntil([&] { return ReadAll<mesh::bus::v1::ReplyRecord>(bus::kParked).size() == 1; }));
  run_meshctl("requeue.log");
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("hello") == 3; }));
  run_meshctl("requeue_again.log");
  Say("ann", "t3", "last");
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("last") == 1; }));
  EXPECT_EQ(graph_.CountOf("hello"), 3) << "the same generation is said once";
}

TEST_F(SenderProcessTest, WhatCannotBeReadGoesToTheDeadLetterWithItsBytes) {
  StartSender();
  Produce(bus::kReplies, "ann", "\xff\xfe not a protobuf");
  Say("ann", "t1", "after it");
  ASSERT_TRUE(WaitUntil([&] { return graph_.CountOf("after it") == 1; }));
  ASSERT_TRUE(WaitUntil([&] { return !ReadAll<mesh::bus::v1::DeadLetter>(bus::kDeadLetter).empty(); }));
  const auto dead = ReadAll<mesh::bus::v1::DeadLetter>(bus::kDeadLetter);
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].original_value(), "\xff\xfe not a protobuf");
  EXPECT_EQ(dead[0].reason(), bus::ToString(bus::DeadLetterReason::kUndecodable));
  EXPECT_EQ(dead[0].service(), "sender");
}

}  // namespace
}  // namespace sender
