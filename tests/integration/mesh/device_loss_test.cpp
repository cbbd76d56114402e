// A card that is lost in the middle of answers: the worker ends its process, a fresh one takes over. The device is the
// emulator, which loses itself after as many launches as its environment variable says; the model is tiny and says
// random letters.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/topics.h"
#include "services/worker/device_loss.h"
#include "tests/integration/harness/temp_dir.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/mesh.h"
#include "tests/libs/engine/device_chat_model.h"

namespace mesh_test {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kUsers = 6;  // more than survivors that clear the others, so that some are answered by the device
// Loading and the warm-up take about 55, and an answer of one sequence alone 100 more.
constexpr int kLaunches = 100;

std::string User(int i) { return absl::StrCat("49170000000", i); }

bool NothingIsLeft(Mesh& mesh, const std::string& group, std::string_view topic) {
  const auto lags =
      bus::GroupTopicLag(mesh.bus(), group, bus::TopicName(mesh.bus(), topic)).Look(steady_clock::now() + seconds(5));
  return lags.ok() && std::all_of(lags->begin(), lags->end(), [](const auto& lag) { return lag.lag() == 0; });
}

TEST(MeshDeviceLossTest, WorkerThatLosesItsCardIsReplacedAndEveryUserIsAnsweredOnce) {
  const harness::TempDir dir;
  const std::string model_path = dir.File("model.gguf");
  {
    model::TinyLlama model = engine::DeviceChatModel();
    model.context = 1024;
    const std::string bytes = model.Bytes();
    std::ofstream(model_path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  auto started = Mesh::StartNew({.engine = "llm",
                                 .worker_flags = {"--device=emulator", "--kv-blocks=400", "--session-timeout-ms=6000"},
                                 .model_path = model_path,
                                 .worker_environment = {{"MESH_EMULATOR_LOSE_AFTER", absl::StrCat(kLaunches)}}});
  ASSERT_TRUE(started.ok()) << started.status();
  Mesh& mesh = **started;
  for (int i = 0; i < kUsers; ++i) {
    ASSERT_EQ(mesh.PostText("whatsapp", User(i), absl::StrCat("wamid.card.", i), "hello"), 200);
  }
  ASSERT_EQ(mesh.process("worker").WaitForExit(steady_clock::now() + seconds(60)), worker::kExitDeviceLost)
      << mesh.LogEnds();
  EXPECT_NE(mesh.LogText("worker").find("device_lost"), std::string::npos);
  EXPECT_TRUE(mesh.Screen().empty()) << "it is meant to be lost before the first answer";

  mesh.SetEnvironment("worker", {});
  ASSERT_TRUE(mesh.Restart("worker").ok());
  for (int i = 0; i < kUsers; ++i) {
    ASSERT_EQ(mesh.WaitForScreen(User(i), 1, seconds(60)).size(), 1u) << i << mesh.LogEnds();
  }
  EXPECT_TRUE(harness::WaitUntil([&] {
    return NothingIsLeft(mesh, "worker", bus::kTurns) && NothingIsLeft(mesh, "sender", bus::kReplies);
  })) << mesh.LogEnds();
  const std::vector<Send> screen = mesh.Screen();
  EXPECT_EQ(screen.size(), static_cast<std::size_t>(kUsers));
  for (int i = 0; i < kUsers; ++i) {
    EXPECT_EQ(std::count_if(screen.begin(), screen.end(),
                            [&](const Send& send) { return send.in_reply_to == absl::StrCat("wamid.card.", i); }),
              1)
        << i;
  }
  EXPECT_EQ(mesh.Metric("worker", R"(worker_turns_total{outcome="answered"})"), kUsers);
  EXPECT_TRUE(mesh.process("worker").IsRunning());
}

}  // namespace
}  // namespace mesh_test
