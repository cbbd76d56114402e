// A message that kills every process whose engine takes it up. The worker is started again when it dies, as Kubernetes
// does, with the fault still armed; the echo engine is slow, so that others are in the batch when it dies.
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/topics.h"
#include "proto/bus/v1/bus.pb.h"
#include "tests/integration/harness/wait.h"
#include "tests/integration/mesh/mesh.h"

namespace mesh_test {
namespace {

using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr int kMates = 31;  // a full batch with it
constexpr std::int32_t kDeadLetterPartitions = 3;
constexpr char kPoison[] = "tell me of the philtre";
constexpr char kNotice[] = "Sorry, that did not work.";

Mesh& PoisonedMesh() {
  return SharedMesh({.engine = "echo",
                     .worker_flags = {"--echo-step-ms=100", "--session-timeout-ms=6000"},
                     .worker_environment = {{"MESH_FAULT", "worker_engine_step:kill:text=philtre"}},
                     .account_fields = {absl::StrCat("notice_text: \"", kNotice, "\"")}});
}

std::vector<mesh::bus::v1::DeadLetter> DeadLetters(Mesh& mesh) {
  std::vector<mesh::bus::v1::DeadLetter> letters;
  std::vector<bus::TopicPartition> partitions;
  for (std::int32_t partition = 0; partition < kDeadLetterPartitions; ++partition) {
    partitions.push_back({bus::TopicName(mesh.bus(), bus::kDeadLetter), partition});
  }
  const absl::Status status = bus::ReadThrough(
      mesh.bus(), "mesh_test", partitions,
      [&](const bus::Record& record) {
        EXPECT_TRUE(letters.emplace_back().ParseFromString(record.value));
        return true;
      },
      steady_clock::now() + seconds(20));
  EXPECT_TRUE(status.ok()) << status;
  return letters;
}

// Goal: the poison ends in the dead letter within a minute, its user is told, and nobody else loses anything, although
// they were in one batch with it; the worker dies once and not in a loop.
TEST(PoisonTest, AMessageThatKillsItsWorkerHarmsNobodyElse) {
  Mesh& mesh = PoisonedMesh();
  const auto mate = [](int i) { return absl::StrCat("4918000010", i < 10 ? "0" : "", i); };
  const std::string poisoner = "491800000200";
  for (int i = 0; i < kMates; ++i) {
    ASSERT_EQ(mesh.PostText("whatsapp", mate(i), absl::StrCat("wamid.mate.", i),
                            absl::StrCat("mate ", i, ", which takes seconds to answer ", std::string(160, '.'))),
              200);
  }
  ASSERT_TRUE(harness::WaitUntil([&] { return mesh.Metric("worker", "worker_sequences_running") >= kMates; }))
      << mesh.LogEnds();
  const auto posted = steady_clock::now();
  ASSERT_EQ(mesh.PostText("whatsapp", poisoner, "wamid.poison", kPoison), 200);

  int deaths = 0;
  const auto tend = [&] {
    if (mesh.process("worker").IsRunning()) return;
    ++deaths;
    ASSERT_TRUE(mesh.Restart("worker").ok());
  };
  ASSERT_TRUE(harness::WaitUntil(
      [&] {
        tend();
        return deaths > 5 || !mesh.Screen(poisoner).empty();
      },
      seconds(60)))
      << mesh.LogEnds();
  EXPECT_LE(steady_clock::now() - posted, seconds(60));
  ASSERT_EQ(deaths, 1) << "later it dies in the child alone";
  const double told_s = std::chrono::duration<double>(steady_clock::now() - posted).count();
  for (int i = 0; i < kMates; ++i) {
    EXPECT_EQ(mesh.WaitForScreen(mate(i), 1, seconds(90)).size(), 1u) << i << mesh.LogEnds();
  }
  std::cout << "the poisoner was told after " << told_s << " s, the last mate was answered after "
            << std::chrono::duration<double>(steady_clock::now() - posted).count() << " s\n";
  EXPECT_EQ(mesh.Screen(poisoner).at(0).text, kNotice);

  ASSERT_TRUE(harness::WaitUntil([&] { return !DeadLetters(mesh).empty(); }));
  const std::vector<mesh::bus::v1::DeadLetter> letters = DeadLetters(mesh);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].reason(), "poison");
  EXPECT_EQ(letters[0].origin_topic(), bus::TopicName(mesh.bus(), bus::kTurns));
  EXPECT_EQ(letters[0].attempts(), 4u) << "once in the batch, three times alone";
  mesh::bus::v1::Turn turn;
  ASSERT_TRUE(turn.ParseFromString(letters[0].original_value()));
  EXPECT_EQ(turn.text(), kPoison);

  // Life goes on, for the poisoner too, and nobody is told anything twice.
  ASSERT_EQ(mesh.PostText("whatsapp", poisoner, "wamid.after", "are you there?"), 200);
  const std::vector<Send> screen = mesh.WaitForScreen(poisoner, 2);
  ASSERT_EQ(screen.size(), 2u) << mesh.LogEnds();
  EXPECT_NE(screen[1].text.find("are you there?"), std::string::npos) << screen[1].text;
  for (int i = 0; i < kMates; ++i) {
    ASSERT_EQ(mesh.Screen(mate(i)).size(), 1u) << i;
    EXPECT_NE(mesh.Screen(mate(i))[0].text.find(absl::StrCat("mate ", i)), std::string::npos);
  }
  tend();
  EXPECT_EQ(deaths, 1);
  EXPECT_EQ(mesh.Metric("worker", "worker_dead_letters_total{reason=\"poison\"}"), 1);
  EXPECT_EQ(mesh.Metric("worker", "worker_child_deaths_total"), 3);
}

// Goal: a poison that is not among the few that are tried alone first costs at most one more worker, and nobody more
// than time. Method: the worker stands still while all are posted, so that they begin together; it is older than ten of
// them.
TEST(PoisonTest, AnOlderPoisonCostsAtMostOneMoreWorkerAndHarmsNobody) {
  Mesh& mesh = PoisonedMesh();
  constexpr int kAll = 26;
  constexpr int kPlace = 15;  // of the poison
  const auto user = [](int i) { return absl::StrCat("4918000011", i < 10 ? "0" : "", i); };
  mesh.process("worker").Signal(SIGSTOP);
  const auto posted = steady_clock::now();
  for (int i = 0; i < kAll; ++i) {
    ASSERT_EQ(mesh.PostText("whatsapp", user(i), absl::StrCat("wamid.older.", i),
                            i == kPlace ? absl::StrCat(kPoison, " again") : absl::StrCat("mate ", i, " once more")),
              200);
  }
  mesh.process("worker").Signal(SIGCONT);
  int deaths = 0;
  ASSERT_TRUE(harness::WaitUntil(
      [&] {
        if (!mesh.process("worker").IsRunning()) {
          ++deaths;
          EXPECT_TRUE(mesh.Restart("worker").ok());
        }
        return deaths > 5 || !mesh.Screen(user(kPlace)).empty();
      },
      seconds(60)))
      << mesh.LogEnds();
  const double told_s = std::chrono::duration<double>(steady_clock::now() - posted).count();
  EXPECT_LE(told_s, 60);
  EXPECT_LE(deaths, 2);
  EXPECT_EQ(mesh.Screen(user(kPlace)).at(0).text, kNotice);
  for (int i = 0; i < kAll; ++i) {
    ASSERT_EQ(mesh.WaitForScreen(user(i), 1, seconds(60)).size(), 1u) << i << mesh.LogEnds();
    if (i == kPlace) continue;
    EXPECT_NE(mesh.Screen(user(i))[0].text.find(absl::StrCat("mate ", i, " once more")), std::string::npos) << i;
  }
  std::cout << "after " << deaths << " deaths the poisoner was told at " << told_s
            << " s, the last mate was answered at "
            << std::chrono::duration<double>(steady_clock::now() - posted).count() << " s\n";
  ASSERT_TRUE(harness::WaitUntil([&] { return DeadLetters(mesh).size() >= 2; }));
  EXPECT_EQ(DeadLetters(mesh).size(), 2u) << "this one and the other test's";
}

}  // namespace
}  // namespace mesh_test
