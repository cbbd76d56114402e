// One message in, one reply out, on each channel; nothing twice, nothing mixed. With the echo engine, whose answer
// names its input.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/mesh.h"
#include "tests/integration/mesh/webhook_body.h"

namespace mesh_test {
namespace {

class AnswersTest : public testing::TestWithParam<const char*> {};

TEST_P(AnswersTest, OneWebhookGivesOneReply) {
  Mesh& mesh = SharedMesh();
  const std::string channel = GetParam();
  const std::string user = "491600000001";  // the same id on three channels is three people
  ASSERT_EQ(mesh.PostText(channel, user, "mid.one." + channel, "hello from " + channel), 200);

  std::vector<Send> seen;
  static_cast<void>(harness::WaitUntil([&] {
    seen = mesh.Screen(user);
    std::erase_if(seen, [&](const Send& send) { return send.channel != channel; });
    return !seen.empty();
  }));

  ASSERT_EQ(seen.size(), 1u) << mesh.LogEnds();
  EXPECT_NE(seen[0].text.find("hello from " + channel), std::string::npos) << seen[0].text;
}

INSTANTIATE_TEST_SUITE_P(Channels, AnswersTest, testing::Values("whatsapp", "messenger", "instagram"));

TEST(AnswersOnceTest, TheSameWebhookFiveTimesGivesOneSend) {
  Mesh& mesh = SharedMesh();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(mesh.PostText("whatsapp", "491700000005", "wamid.five", "once please"), 200);
  ASSERT_EQ(mesh.WaitForScreen("491700000005", 1).size(), 1u) << mesh.LogEnds();
  // A later message of the same user is answered after all five copies have passed through its lane.
  ASSERT_EQ(mesh.PostText("whatsapp", "491700000005", "wamid.five.marker", "marker"), 200);
  const std::vector<Send> screen = mesh.WaitForScreen("491700000005", 2);
  ASSERT_EQ(screen.size(), 2u) << mesh.LogEnds();
  EXPECT_NE(screen[1].text.find("marker"), std::string::npos);
}

TEST(AnswersOnceTest, ManyUsersAtOnceEachGetTheirOwnAnswersInOrder) {
  Mesh& mesh = SharedMesh();
  constexpr int kUsers = 12;
  constexpr int kMessages = 4;
  for (int message = 0; message < kMessages; ++message) {
    for (int user = 0; user < kUsers; ++user) {
      ASSERT_EQ(
          mesh.PostText("whatsapp", absl::StrCat("4915000000", user), absl::StrCat("wamid.many.", user, ".", message),
                        absl::StrCat("canary-", user, "-", message)),
          200);
    }
  }
  for (int user = 0; user < kUsers; ++user) {
    const std::vector<Send> screen = mesh.WaitForScreen(absl::StrCat("4915000000", user), kMessages);
    ASSERT_EQ(screen.size(), static_cast<std::size_t>(kMessages)) << "user " << user << mesh.LogEnds();
    for (int message = 0; message < kMessages; ++message) {
      EXPECT_NE(screen[static_cast<std::size_t>(message)].text.find(absl::StrCat("canary-", user, "-", message)),
                std::string::npos)
          << screen[static_cast<std::size_t>(message)].text;
    }
  }
}

TEST(AnswersOnceTest, HistoryHoldsWhatWasSaidAndThatItWasDelivered) {
  Mesh& mesh = SharedMesh();
  ASSERT_EQ(mesh.PostText("whatsapp", "491700000077", "wamid.history.1", "first"), 200);
  ASSERT_EQ(mesh.PostText("whatsapp", "491700000077", "wamid.history.2", "second"), 200);
  ASSERT_EQ(mesh.WaitForScreen("491700000077", 2).size(), 2u) << mesh.LogEnds();

  mesh::session::v1::GetSessionRequest request;
  request.mutable_conversation()->set_tenant("test");
  request.mutable_conversation()->set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  request.mutable_conversation()->set_account(Mesh::AccountId("whatsapp"));
  request.mutable_conversation()->set_user("491700000077");
  absl::StatusOr<mesh::session::v1::GetSessionResponse> stored;
  // The fake platform reports delivery by a status webhook; outcomes only move forward.
  const bool delivered = harness::WaitUntil([&] {
    stored = mesh.session().GetSession(request, {});
    return stored.ok() && stored->turns_size() == 2 &&
           stored->turns(1).outcome() >= mesh::session::v1::OUTCOME_DELIVERED;
  });
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_TRUE(delivered) << stored->DebugString();
  EXPECT_EQ(stored->turns(0).user_text(), "first");
  EXPECT_NE(stored->turns(1).reply_text().find("second"), std::string::npos);
}

TEST(AnswersOnceTest, TheTraceOfTheWebhookReachesTheSendAndNoLogHoldsItsText) {
  Mesh& mesh = SharedMesh();
  constexpr char kTraceId[] = "0af7651916cd43dd8448eb211c80319c";
  mesh.SetTraceparent(absl::StrCat("00-", kTraceId, "-b7ad6b7169203331-01"));
  ASSERT_EQ(mesh.PostText("whatsapp", "491700000088", "wamid.trace", "xyzzy-canary"), 200);
  mesh.SetTraceparent("");
  const std::vector<Send> screen = mesh.WaitForScreen("491700000088", 1);
  ASSERT_EQ(screen.size(), 1u) << mesh.LogEnds();
  EXPECT_NE(screen[0].traceparent.find(kTraceId), std::string::npos) << screen[0].traceparent;
  EXPECT_TRUE(harness::WaitUntil([&] { return mesh.LogText("worker").find(kTraceId) != std::string::npos; }));
  for (const char* service : {"gateway", "worker", "session", "sender"}) {
    EXPECT_EQ(mesh.LogText(service).find("xyzzy-canary"), std::string::npos) << service;
  }
}

}  // namespace
}  // namespace mesh_test
