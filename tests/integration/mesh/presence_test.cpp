// While a slow answer is made, its user sees that the message was read and that somebody types; afterwards no more of
// that. On the mesh of interrupt_test.cpp, whose engine takes seconds.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/mesh.h"
#include "tests/integration/mesh/slow_mesh.h"

namespace mesh_test {
namespace {

constexpr std::string_view kChannels[] = {"whatsapp", "messenger", "instagram"};

std::string MessageId(std::string_view channel) { return absl::StrCat("wamid.p.", std::string(channel)); }

TEST(PresenceTest, ASlowAnswerIsReadAndTypedBeforeItIsSeen) {
  Mesh& mesh = SlowMesh();
  const std::string user = "491800000009";
  const std::string text = absl::StrCat("please take your time ", std::string(80, '.'));
  for (const std::string_view channel : kChannels) {
    ASSERT_EQ(mesh.PostText(channel, user, MessageId(channel), text), 200);
  }
  const std::vector<Send> screen = mesh.WaitForScreen(user, 3);
  ASSERT_EQ(screen.size(), 3u) << mesh.LogEnds();

  for (const std::string_view channel : kChannels) {
    const bool is_whatsapp = channel == "whatsapp";
    std::vector<Action> actions = mesh.Actions();
    std::erase_if(actions, [&](const Action& action) {
      return action.channel != channel || (is_whatsapp ? action.message_id != MessageId(channel) : action.user != user);
    });
    const auto answer =
        std::find_if(screen.begin(), screen.end(), [&](const Send& send) { return send.channel == channel; });
    ASSERT_NE(answer, screen.end());
    std::vector<std::string> seen;
    for (const Action& action : actions) {
      EXPECT_LE(action.ts_ms, answer->ts_ms) << channel << ": " << action.action;
      seen.push_back(action.action);
    }
    // Two calls that leave together arrive in any order.
    EXPECT_EQ(std::count(seen.begin(), seen.end(), "mark_seen"), is_whatsapp ? 0 : 1) << channel;
    EXPECT_GE(std::count(seen.begin(), seen.end(), is_whatsapp ? "typing" : "typing_on"), 2) << channel << ": renewed\n"
                                                                                             << mesh.LogEnds();
    EXPECT_GE(mesh.Metric("worker", absl::StrCat("worker_presence_total{channel=\"", std::string(channel),
                                                 "\",outcome=\"sent\"}")),
              2)
        << channel;
  }
}

}  // namespace
}  // namespace mesh_test
