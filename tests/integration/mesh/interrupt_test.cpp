// A user who writes again before the answer: with accounts in interrupt mode only the newest message is answered, and
// what became of the others is on `audit`. The echo engine is slowed down, so that an answer takes seconds.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/slow_mesh.h"
#include "tests/integration/mesh/webhook_body.h"

namespace mesh_test {
namespace {

TEST(InterruptTest, OnlyTheNewestOfThreeMessagesIsAnsweredAndTheOthersAreOnAudit) {
  Mesh& mesh = SlowMesh();
  const std::string user = "491800000001";
  const std::string long_text = absl::StrCat("first, which takes seconds to answer ", std::string(60, '.'));
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.i.1", long_text), 200);
  ASSERT_TRUE(harness::WaitUntil([&] { return mesh.Metric("worker", "worker_sequences_running") >= 1; }))
      << mesh.LogEnds();
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.i.2", "second"), 200);
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.i.3", "third"), 200);

  const std::vector<Send> screen = mesh.WaitForScreen(user, 1);
  ASSERT_EQ(screen.size(), 1u) << mesh.LogEnds();
  EXPECT_NE(screen[0].text.find("third"), std::string::npos) << screen[0].text;
  EXPECT_NE(screen[0].text.find("first"), std::string::npos) << "the model is told all of the user's words";

  const auto drops = AuditOf(mesh, user);
  ASSERT_EQ(drops.size(), 2u);
  for (const char* dropped : {"wamid.i.1", "wamid.i.2"}) {
    ASSERT_TRUE(drops.contains(TurnIdOf(user, dropped))) << dropped;
    EXPECT_EQ(drops.at(TurnIdOf(user, dropped)).policy(), mesh::bus::v1::DROP_POLICY_SUPERSEDED);
  }
  EXPECT_FALSE(drops.contains(TurnIdOf(user, "wamid.i.3"))) << "a turn that was answered is not on audit";

  mesh::session::v1::GetSessionRequest request;
  *request.mutable_conversation() = ConversationOf(user);
  absl::StatusOr<mesh::session::v1::GetSessionResponse> stored;
  EXPECT_TRUE(harness::WaitUntil([&] {
    stored = mesh.session().GetSession(request, {});
    return stored.ok() && stored->turns_size() == 3 &&
           stored->turns(0).outcome() == mesh::session::v1::OUTCOME_SUPERSEDED &&
           stored->turns(1).outcome() == mesh::session::v1::OUTCOME_SUPERSEDED &&
           stored->turns(2).outcome() >= mesh::session::v1::OUTCOME_SENT;
  })) << (stored.ok() ? stored->DebugString() : stored.status().ToString());

  // What was dropped is finished: the same webhooks once more bring nothing, and interrupt nothing.
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.i.1", long_text), 200);
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.i.4", "fourth"), 200);
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.i.2", "second"), 200);
  const std::vector<Send> later = mesh.WaitForScreen(user, 2);
  ASSERT_EQ(later.size(), 2u) << mesh.LogEnds();
  EXPECT_NE(later[1].text.find("fourth"), std::string::npos) << later[1].text;
  EXPECT_EQ(AuditOf(mesh, user).size(), 2u);
}

// The whole path of an unsend: webhook, record, lane, session, audit.
TEST(UnsendTest, AMessageThatIsTakenBackWhileItIsAnsweredLeavesNothing) {
  Mesh& mesh = SlowMesh();
  const std::string user = "491800000002";
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.u.1", absl::StrCat("an embarrassing word ", std::string(60, '.'))),
            200);
  ASSERT_TRUE(harness::WaitUntil([&] { return mesh.Metric("worker", "worker_sequences_running") >= 1; }))
      << mesh.LogEnds();
  ASSERT_EQ(mesh.PostSigned("whatsapp", RevokeBody(Mesh::AccountId("whatsapp"), user, "wamid.u.2", "wamid.u.1")), 200);
  ASSERT_EQ(mesh.PostText("whatsapp", user, "wamid.u.3", "short"), 200);
  const std::vector<Send> screen = mesh.WaitForScreen(user, 1);
  ASSERT_EQ(screen.size(), 1u) << mesh.LogEnds();
  EXPECT_NE(screen[0].text.find("short"), std::string::npos) << screen[0].text;
  EXPECT_EQ(screen[0].text.find("embarrassing"), std::string::npos) << screen[0].text;

  const auto drops = AuditOf(mesh, user);
  ASSERT_EQ(drops.size(), 1u);
  const mesh::bus::v1::PolicyDrop& drop = drops.at(TurnIdOf(user, "wamid.u.1"));
  EXPECT_EQ(drop.policy(), mesh::bus::v1::DROP_POLICY_UNSENT);
  EXPECT_EQ(drop.by_turn_id(), "");
  mesh::session::v1::GetSessionRequest request;
  *request.mutable_conversation() = ConversationOf(user);
  const auto stored = mesh.session().GetSession(request, {});
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->DebugString().find("embarrassing"), std::string::npos);

  // An answered message, too: its words and those of its answer are deleted.
  ASSERT_EQ(mesh.PostSigned("whatsapp", RevokeBody(Mesh::AccountId("whatsapp"), user, "wamid.u.4", "wamid.u.3")), 200);
  EXPECT_TRUE(harness::WaitUntil([&] {
    const auto now = mesh.session().GetSession(request, {});
    return now.ok() && now->turns_size() == 2 && now->turns(1).user_text().empty() &&
           now->turns(1).reply_text().empty();
  }));
}

}  // namespace
}  // namespace mesh_test
