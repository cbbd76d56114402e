#include "services/worker/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "libs/account/reload_failures.h"

namespace worker {
namespace {

// Dashboards and alerts name these: a change here is a change for operators.
TEST(MetricsTest, NamesAreThoseOfTheGoldenList) {
  telemetry::Registry registry;
  const Metrics metrics(registry);
  account::ExportReloadFailures(nullptr, "worker", registry);  // nothing is exported here, so the file is not asked
  std::ifstream file("tests/golden/metrics/worker.txt");       // tests run in the repository's root
  ASSERT_TRUE(file) << "tests/golden/metrics/worker.txt is missing";
  std::vector<std::string> golden;
  for (std::string line; std::getline(file, line);) golden.push_back(line);
  EXPECT_EQ(registry.MetricNames(), golden);
}

TEST(MetricsTest, EveryOutcomeAndPeerHasItsCounter) {
  telemetry::Registry registry;
  const Metrics metrics(registry);
  for (const std::string_view outcome : Metrics::kOutcomes) metrics.CountTurn(outcome);
  for (const std::string_view peer : Metrics::kPeers) metrics.CountRetry(peer);
  for (const std::string_view outcome : Metrics::kPresenceOutcomes) {
    metrics.CountPresence(mesh::bus::v1::CHANNEL_INSTAGRAM, outcome);
  }
  for (const auto& [outcome, counter] : metrics.turns) EXPECT_EQ(counter.Value(), 1) << outcome;
}

}  // namespace
}  // namespace worker
