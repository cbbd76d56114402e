// The real model behind the real mesh; on a card where the environment says MESH_DEVICE=cuda, as `make test CUDA=1
// MESH_DEVICE=cuda` does.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/integration/mesh/mesh.h"

namespace mesh_test {
namespace {

constexpr auto kAnswerTimeout = std::chrono::seconds(90);

Mesh& RealMesh() { return SharedMesh({.engine = "llm", .worker_flags = {"--threads=2", "--kv-blocks=512"}}); }

TEST(ModelTest, NamesTheCapitalOfJapan) {
  Mesh& mesh = RealMesh();
  ASSERT_EQ(mesh.PostText("whatsapp", "491800000001", "wamid.japan", "What is the capital of Japan?"), 200);
  const std::vector<Send> screen = mesh.WaitForScreen("491800000001", 1, kAnswerTimeout);
  ASSERT_EQ(screen.size(), 1u) << mesh.LogEnds();
  EXPECT_EQ(screen[0].text, "The capital of Japan is Tokyo.");
}

// Posts one message, waits for its answer and returns how many prompt tokens it took.
double PromptTokensOf(Mesh& mesh, const std::string& user, int number, const std::string& text) {
  const double before = mesh.Metric("worker", "worker_prompt_tokens_total");
  EXPECT_EQ(mesh.PostText("messenger", user, "mid." + user + std::to_string(number), text), 200);
  EXPECT_EQ(mesh.WaitForScreen(user, static_cast<std::size_t>(number), kAnswerTimeout).size(),
            static_cast<std::size_t>(number))
      << mesh.LogEnds();
  return mesh.Metric("worker", "worker_prompt_tokens_total") - before;
}

TEST(ModelTest, ASecondMessageSeesTheFirstAndItsAnswerInItsContext) {
  Mesh& mesh = RealMesh();
  const std::string question = "What is my name?";
  const double alone = PromptTokensOf(mesh, "8001", 1, question);
  const double first = PromptTokensOf(mesh, "8002", 1, "Hi! My name is Valentina, and I live in Lisbon by the river.");
  const double second = PromptTokensOf(mesh, "8002", 2, question);
  EXPECT_GT(alone, 0);
  // The whole first prompt stands before the question, and an answer between them.
  EXPECT_GT(second, first);
  EXPECT_GT(second, alone + 15);
}

}  // namespace
}  // namespace mesh_test
