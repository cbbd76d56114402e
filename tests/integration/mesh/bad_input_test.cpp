// What strangers and broken peers send: refused or kept with its reason, and no process ends.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/producer.h"
#include "libs/bus/topics.h"
#include "libs/channel/codec.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/mesh.h"
#include "tests/integration/mesh/webhook_body.h"

namespace mesh_test {
namespace {

std::string Message(std::string_view id) {
  return TextMessageBody("whatsapp", Mesh::AccountId("whatsapp"), "4917111000002", id, "let me in");
}

TEST(BadInputTest, UnsignedAndWronglySignedBodiesProduceNothing) {
  Mesh& mesh = SharedMesh();
  const std::string body = Message("wamid.stranger.1");
  const std::string wrong = channel::SignatureFor(body, crypto::Secret("not the secret"));
  const std::string good = channel::SignatureFor(body, crypto::Secret("whatsapp-app-secret"));
  EXPECT_EQ(mesh.Post("whatsapp", body, ""), 401);
  EXPECT_EQ(mesh.Post("whatsapp", body, wrong), 403);
  EXPECT_EQ(mesh.Post("whatsapp", body + " ", good), 403) << "one byte more than was signed";
  EXPECT_NE(mesh.Post("whatsapp", body, "sha1=" + std::string(40, 'a')), 200);
  // A signed message right behind them is answered; the strangers' ones, ahead of it in the log if they were there, are
  // not.
  ASSERT_EQ(mesh.PostText("whatsapp", "4917111000001", "wamid.after-strangers", "hello"), 200);
  ASSERT_EQ(mesh.WaitForScreen("4917111000001", 1).size(), 1u);
  EXPECT_TRUE(mesh.Screen("4917111000002").empty());
}

TEST(BadInputTest, SignedButUnusableBodiesAreTakenAndCounted) {
  Mesh& mesh = SharedMesh();
  const std::string unusable = R"(gateway_webhooks_total{channel="whatsapp",outcome="unusable"})";
  const double before = mesh.Metric("gateway", unusable);
  const std::string deep(100'000, '[');
  for (const std::string& body :
       {std::string("not json"), std::string("{}"), std::string("[]"), deep, std::string("\xff\xfe{}"),
        std::string(R"({"object":5,"entry":"x"})"),
        std::string(R"({"object":"whatsapp_business_account","entry":[{"changes":[{"value":7}]}]})")}) {
    EXPECT_EQ(mesh.PostSigned("whatsapp", body), 200) << body.substr(0, 80);
  }
  EXPECT_EQ(mesh.PostSigned("whatsapp", std::string(5 << 20, 'x')), 413);
  EXPECT_TRUE(mesh.process("gateway").IsRunning());
  EXPECT_GE(mesh.Metric("gateway", unusable) - before, 4) << "not JSON, no object, too deep, not UTF-8";
}

TEST(BadInputTest, AccountsThatAreNotConfiguredAreIgnored) {
  Mesh& mesh = SharedMesh();
  EXPECT_EQ(mesh.PostSigned("whatsapp", TextMessageBody("whatsapp", "999", "4917111000004", "wamid.nobody", "hi")),
            200);
  ASSERT_EQ(mesh.PostText("whatsapp", "4917111000003", "wamid.after-nobody", "hello"), 200);
  ASSERT_EQ(mesh.WaitForScreen("4917111000003", 1).size(), 1u);
  EXPECT_TRUE(mesh.Screen("4917111000004").empty());
}

TEST(BadInputTest, ARecordThatDoesNotDecodeGoesToTheDeadLetterWithItsBytes) {
  Mesh& mesh = SharedMesh();
  telemetry::Registry registry;
  const auto producer = bus::Producer::Create(mesh.bus(), {}, "mesh_test", registry);
  ASSERT_TRUE(producer.ok());
  for (const std::string_view topic : {bus::kTurns, bus::kReplies, bus::kStatuses}) {
    bus::OutgoingRecord record;
    record.topic = bus::TopicName(mesh.bus(), topic);
    record.key = "poison";
    record.value = absl::StrCat("\xff\xff not a protobuf for ", std::string(topic));
    ASSERT_TRUE((*producer)->ProduceAndWait(record).ok());
  }
  const auto dead_letters = [&] {
    std::string values;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    const auto partitions = bus::PartitionsOf(mesh.bus(), bus::TopicName(mesh.bus(), bus::kDeadLetter), deadline);
    if (!partitions.ok()) return values;
    static_cast<void>(bus::ReadThrough(
        mesh.bus(), "mesh_test", *partitions,
        [&](const bus::Record& record) {
          values += record.value;
          return true;
        },
        deadline));
    return values;
  };
  EXPECT_TRUE(harness::WaitUntil([&] {
    const std::string values = dead_letters();
    return values.find("not a protobuf for turns") != std::string::npos &&
           values.find("not a protobuf for replies") != std::string::npos;
  })) << mesh.LogEnds();
  // The partitions are not stuck behind them.
  for (const char* service : {"worker", "sender", "gateway", "session"})
    EXPECT_TRUE(mesh.process(service).IsRunning()) << service;
  ASSERT_EQ(mesh.PostText("whatsapp", "4917111000005", "wamid.after-poison", "hello"), 200);
  EXPECT_EQ(mesh.WaitForScreen("4917111000005", 1).size(), 1u) << mesh.LogEnds();
}

}  // namespace
}  // namespace mesh_test
