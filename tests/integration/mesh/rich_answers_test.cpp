// What an answer's text asks for besides words is sent as such, and what the user presses is answered; what comes too
// late is not sent. With the echo engine, which says its input again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/media_mesh.h"
#include "tests/integration/mesh/webhook_body.h"

namespace mesh_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Escaped for JSON.
constexpr char kText[] = R"(Look.\n\n![Plan](https://files.example/a.png)\n\n```choices\nTea?\n- Yes\n- No\n```)";

std::vector<std::string> KindsOf(const std::vector<Send>& screen) {
  std::vector<std::string> kinds;
  for (const Send& send : screen) kinds.push_back(send.kind);
  return kinds;
}

TEST(RichAnswersTest, AFileAndAQuestionAreSentAsSuchAndThePressIsAnswered) {
  Mesh& mesh = MediaMesh();
  const std::string user = "491820000001";
  const std::string account = Mesh::AccountId("whatsapp");
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.rich.1", kText), 200);
  std::vector<Send> screen = mesh.WaitForScreen(user, 3);
  ASSERT_THAT(KindsOf(screen), ElementsAre("", "image", "interactive")) << mesh.LogEnds();
  EXPECT_EQ(screen[0].text, "echo: Look.");
  EXPECT_EQ(screen[0].in_reply_to, "wamid.rich.1");
  EXPECT_THAT(screen[1].content, HasSubstr(R"("link":"https://files.example/a.png","caption":"Plan")"));
  EXPECT_THAT(screen[2].content, HasSubstr(R"("title":"Yes")"));

  ASSERT_EQ(mesh.PostSigned("whatsapp", ButtonReplyBody(account, user, "wamid.rich.2", "1", "Yes")), 200);
  screen = mesh.WaitForScreen(user, 4);
  ASSERT_EQ(screen.size(), 4u) << mesh.LogEnds();
  EXPECT_EQ(screen[3].text, "echo: Yes");

  mesh::session::v1::GetSessionRequest request;
  request.mutable_conversation()->set_tenant("test");
  request.mutable_conversation()->set_channel(mesh::bus::v1::CHANNEL_WHATSAPP);
  request.mutable_conversation()->set_account(account);
  request.mutable_conversation()->set_user(user);
  absl::StatusOr<mesh::session::v1::GetSessionResponse> stored;
  EXPECT_TRUE(harness::WaitUntil([&] {
    stored = mesh.session().GetSession(request, {});
    return stored.ok() && stored->turns_size() == 2 &&
           stored->turns(0).outcome() >= mesh::session::v1::OUTCOME_DELIVERED;
  })) << mesh.LogEnds();
  ASSERT_TRUE(stored.ok() && stored->turns_size() > 0);
  EXPECT_THAT(stored->turns(0).reply_text(), HasSubstr("```choices")) << "the model sees its answer as it wrote it";
  const Mesh::CommandResult trace = mesh.Meshctl({"trace", "wamid.rich.1"});
  EXPECT_THAT(trace.output, HasSubstr("3 part(s), behind its text: image, choices"));
}

TEST(RichAnswersTest, MessengerAndInstagramSayItTheirWay) {
  Mesh& mesh = MediaMesh();
  for (const std::string channel : {"messenger", "instagram"}) {
    const std::string user = channel == "messenger" ? "481821" : "481822";
    ASSERT_EQ(mesh.PostText(channel, user, "m.rich." + channel, kText), 200);
    const std::vector<Send> screen = mesh.WaitForScreen(user, 4);
    ASSERT_THAT(KindsOf(screen), ElementsAre("", "", "attachment", "quick_replies")) << channel << mesh.LogEnds();
    EXPECT_EQ(screen[1].text, "Plan");
    EXPECT_EQ(screen[3].text, "Tea?");
  }
}

TEST(RichAnswersTest, AnAnswerToAMessageOfTwoDaysAgoIsNotSent) {
  Mesh& mesh = MediaMesh();
  const std::string user = "491820000002";
  const std::string account = Mesh::AccountId("whatsapp");
  const std::string body = TextMessageBody("whatsapp", account, user, "wamid.rich.old", "was it too long ago?");
  ASSERT_EQ(mesh.PostSigned("whatsapp", AgedBody(body, /*age_s=*/2 * 24 * 3600)), 200);
  EXPECT_TRUE(harness::WaitUntil([&] {
    return mesh.Metric("sender", R"(sender_dead_letters_total{reason="window_closed"})") == 1;
  })) << mesh.LogEnds();
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.rich.new", "and now?"), 200);
  const std::vector<Send> screen = mesh.WaitForScreen(user, 1);
  ASSERT_EQ(screen.size(), 1u) << mesh.LogEnds();
  EXPECT_THAT(screen[0].text, testing::EndsWith("and now?")) << "the model may see that the first was not answered";
}

}  // namespace
}  // namespace mesh_test
