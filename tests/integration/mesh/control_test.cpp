// Who answers: a user asks for a person, an operator gives the conversation back to the bot, a user wants to be left
// alone. Goal: exactly what docs/control.md says is said, and what is not said is on `audit`.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/slow_mesh.h"
#include "tests/integration/mesh/webhook_body.h"

namespace mesh_test {
namespace {

using mesh::bus::v1::DropPolicy;

int Say(const std::string& user, const std::string& text) {
  return SlowMesh().PostText("whatsapp", user, absl::StrCat("wamid.control.", user, ".", text), text);
}

// The message is on `audit`, and by that policy.
bool IsDropped(const std::string& user, const std::string& text, DropPolicy policy) {
  const std::string turn_id = TurnIdOf(user, absl::StrCat("wamid.control.", user, ".", text));
  return harness::WaitUntil([&] {
    const auto drops = AuditOf(SlowMesh(), user);
    return drops.contains(turn_id) && drops.at(turn_id).policy() == policy && drops.at(turn_id).by_turn_id().empty();
  });
}

std::string TextAt(const std::string& user, std::size_t place) {
  const std::vector<Send> screen = SlowMesh().WaitForScreen(user, place + 1);
  EXPECT_EQ(screen.size(), place + 1) << SlowMesh().LogEnds();
  return screen.size() > place ? screen[place].text : "";
}

TEST(ControlTest, AUserWhoAsksForAPersonHearsTheBotAgainWhenAnOperatorGivesItBack) {
  Mesh& mesh = SlowMesh();
  const std::string user = "491800000011";
  ASSERT_EQ(Say(user, "hi"), 200);
  EXPECT_EQ(TextAt(user, 0), absl::StrCat(kDisclosure, "\n\necho: hi"));
  ASSERT_EQ(Say(user, "Human!"), 200);
  EXPECT_EQ(TextAt(user, 1), "A person comes.");
  ASSERT_EQ(Say(user, "my parcel"), 200);
  EXPECT_TRUE(IsDropped(user, "my parcel", mesh::bus::v1::DROP_POLICY_HANDOFF)) << mesh.LogEnds();

  const Mesh::CommandResult resumed = mesh.Meshctl({"session", "resume", "--channel=whatsapp", "--from=" + user});
  ASSERT_EQ(resumed.code, 0) << resumed.output;
  ASSERT_EQ(Say(user, "is late"), 200);
  const std::string answer = TextAt(user, 2);
  EXPECT_EQ(answer.find(kDisclosure), 0u) << answer;
  EXPECT_NE(answer.find("is late"), std::string::npos) << answer;
  EXPECT_NE(answer.find("my parcel"), std::string::npos) << "a bot that returns knows what was said: " << answer;
  ASSERT_EQ(Say(user, "ok"), 200);
  EXPECT_EQ(TextAt(user, 3), "echo: ok") << "disclosed once";
}

TEST(ControlTest, AUserWhoWantsNoMessagesGetsNoneUntilTheyWantThemAgain) {
  const std::string user = "491800000012";
  ASSERT_EQ(Say(user, "STOP."), 200);
  EXPECT_EQ(TextAt(user, 0), absl::StrCat(kDisclosure, "\n\nGoodbye.")) << "the first thing that the bot said";
  ASSERT_EQ(Say(user, "human"), 200);
  EXPECT_TRUE(IsDropped(user, "human", mesh::bus::v1::DROP_POLICY_OPTED_OUT)) << SlowMesh().LogEnds();
  ASSERT_EQ(Say(user, "bot"), 200);
  ASSERT_EQ(Say(user, "start"), 200);
  EXPECT_EQ(TextAt(user, 1), absl::StrCat(kDisclosure, "\n\nHello again."));
  ASSERT_EQ(Say(user, "hi"), 200);
  EXPECT_NE(TextAt(user, 2).find("hi"), std::string::npos);
}

// A poll, as WhatsApp tells of it, and the edit of a message, which is no message.
TEST(ControlTest, WhoSendsWhatCannotBeReadIsToldSoOnce) {
  const std::string user = "491800000014";
  const auto send = [&user](const std::string& text, const std::string& what) {
    const std::string id = absl::StrCat("wamid.control.", user, ".", text);
    return SlowMesh().PostSigned("whatsapp", UnsupportedBody(Mesh::AccountId("whatsapp"), user, id, what));
  };
  ASSERT_EQ(send("edit", "edit"), 200);
  ASSERT_EQ(send("poll", "poll_creation"), 200);
  EXPECT_EQ(TextAt(user, 0), absl::StrCat(kDisclosure, "\n\nWhat is that?")) << "nothing was said to the edit";
  ASSERT_EQ(send("another", "poll_creation"), 200);
  EXPECT_TRUE(IsDropped(user, "another", mesh::bus::v1::DROP_POLICY_UNREADABLE)) << SlowMesh().LogEnds();
  ASSERT_EQ(send("poll", "poll_creation"), 200) << "a webhook that comes twice";
  ASSERT_EQ(Say(user, "hi"), 200);
  EXPECT_NE(TextAt(user, 1).find("hi"), std::string::npos);
  ASSERT_EQ(send("third", "gif"), 200);
  EXPECT_EQ(TextAt(user, 2), "What is that?");
  ASSERT_EQ(Say(user, "stop"), 200);
  EXPECT_EQ(TextAt(user, 3), "Goodbye.");
  ASSERT_EQ(send("fourth", "gif"), 200);
  EXPECT_TRUE(IsDropped(user, "fourth", mesh::bus::v1::DROP_POLICY_OPTED_OUT)) << SlowMesh().LogEnds();
}

TEST(ControlTest, AWordAboutAProductIsAWord) {
  const std::string user = "491800000013";
  const std::string body = TextAboutProductBody(Mesh::AccountId("whatsapp"), user, "wamid.control.product", "Stop");
  ASSERT_EQ(SlowMesh().PostSigned("whatsapp", body), 200);
  EXPECT_EQ(TextAt(user, 0), absl::StrCat(kDisclosure, "\n\nGoodbye."));
}

}  // namespace
}  // namespace mesh_test
