// One message in, one reply out, on each channel; nothing twice, nothing mixed. With the echo engine, whose answer names
// its input.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
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
  // Ids of one shape, different for each channel.
  const std::string user = absl::StrCat("49160000000", channel.size());
  ASSERT_EQ(mesh.PostText(channel, user, "mid.one." + channel, "hello from " + channel), 200);

  const std::vector<Send> screen = mesh.WaitForScreen(user, 1);

  ASSERT_EQ(screen.size(), 1u) << mesh.LogEnds();
  EXPECT_EQ(screen[0].channel, channel);
  EXPECT_NE(screen[0].text.find("hello from " + channel), std::string::npos) << screen[0].text;
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
      ASSERT_EQ(mesh.PostText("whatsapp", absl::StrCat("4915000000", user), absl::StrCat("wamid.many.", user, ".", message),
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
    return stored.ok() && stored->turns_size() == 2 && stored->turns(1).outcome() >= mesh::session::v1::OUTCOME_DELIVERED;
  });
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_TRUE(delivered) << stored->DebugString();
  EXPECT_EQ(stored->turns(0).user_text(), "first");
  EXPECT_NE(stored->turns(1).reply_text().find("second"), std::string::npos);
}

TEST(AnswersOnceTest, TheTraceOfTheWebhookReachesTheSend) {
  Mesh& mesh = SharedMesh();
  ASSERT_EQ(mesh.PostText("whatsapp", "491700000088", "wamid.trace", "trace me"), 200);
  ASSERT_EQ(mesh.WaitForScreen("491700000088", 1).size(), 1u);
  const auto trace_of = [&](const std::string& service, const std::string& event) -> std::set<std::string> {
    std::set<std::string> traces;
    const std::string log = mesh.LogText(service);
    for (std::size_t at = log.find(event); at != std::string::npos; at = log.find(event, at + 1)) {
      const std::size_t id = log.find("\"trace_id\":\"", at);
      if (id != std::string::npos) traces.insert(log.substr(id + 12, 32));
    }
    return traces;
  };
  std::set<std::string> worker, sender;
  EXPECT_TRUE(harness::WaitUntil([&] {
    worker = trace_of("worker", "turn_ended");
    sender = trace_of("sender", "part_sent");
    return !worker.empty() && !sender.empty() && std::includes(worker.begin(), worker.end(), sender.begin(), sender.end());
  })) << "worker " << worker.size() << " sender " << sender.size();
  // Logs never hold what people wrote.
  for (const char* service : {"gateway", "worker", "session", "sender"}) {
    EXPECT_EQ(mesh.LogText(service).find("trace me"), std::string::npos) << service;
  }
}

}  // namespace
}  // namespace mesh_test
