// The real model behind the real mesh.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/integration/mesh/mesh.h"

namespace mesh_test {
namespace {

constexpr auto kAnswerTimeout = std::chrono::seconds(90);

Mesh& RealMesh() { return SharedMesh({.engine = "llm", .worker_flags = {"--threads=2"}}); }

TEST(ModelTest, NamesTheCapitalOfFrance) {
  Mesh& mesh = RealMesh();
  ASSERT_EQ(mesh.PostText("whatsapp", "491800000001", "wamid.paris", "What is the capital of France?"), 200);
  const std::vector<Send> screen = mesh.WaitForScreen("491800000001", 1, kAnswerTimeout);
  ASSERT_EQ(screen.size(), 1u) << mesh.LogEnds();
  EXPECT_NE(screen[0].text.find("Paris"), std::string::npos) << screen[0].text;
}

TEST(ModelTest, ASecondMessageSeesTheFirst) {
  Mesh& mesh = RealMesh();
  ASSERT_EQ(mesh.PostText("messenger", "psid-7", "mid.name.1", "Hi! My name is Valentina."), 200);
  ASSERT_EQ(mesh.WaitForScreen("psid-7", 1, kAnswerTimeout).size(), 1u) << mesh.LogEnds();
  ASSERT_EQ(mesh.PostText("messenger", "psid-7", "mid.name.2", "What is my name?"), 200);
  const std::vector<Send> screen = mesh.WaitForScreen("psid-7", 2, kAnswerTimeout);
  ASSERT_EQ(screen.size(), 2u) << mesh.LogEnds();
  EXPECT_NE(screen[1].text.find("Valentina"), std::string::npos) << screen[1].text;
}

}  // namespace
}  // namespace mesh_test
