// What strangers and broken peers send as webhooks: refused or taken and counted, and no process ends. Bad records in
// the log: bad_records_test.cpp.
#include <gtest/gtest.h>

#include <string>

#include "libs/channel/codec.h"
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

}  // namespace
}  // namespace mesh_test
