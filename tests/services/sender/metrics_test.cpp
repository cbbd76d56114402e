#include "services/sender/metrics.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "libs/account/reload_failures.h"

namespace sender {
namespace {

// The names are what dashboards and alerts are built on: changing one is a decision, made in the golden list.
TEST(MetricsTest, NamesAreThoseOfTheGoldenList) {
  telemetry::Registry registry;
  const Metrics metrics(registry);
  account::ExportReloadFailures(nullptr, "sender", registry);  // nothing is exported here, so the file is not asked
  std::ifstream file("tests/golden/metrics/sender.txt");       // tests run in the repository's root
  ASSERT_TRUE(file) << "tests/golden/metrics/sender.txt is missing";
  std::vector<std::string> wanted;
  for (std::string line; std::getline(file, line);) wanted.push_back(line);
  EXPECT_EQ(registry.MetricNames(), wanted);
}

TEST(MetricsTest, AnUnknownChannelIsCountedAsOther) {
  telemetry::Registry registry;
  const Metrics metrics(registry);
  metrics.CountSend("telegraph", "sent");
  metrics.CountSend("whatsapp", "sent");
  EXPECT_EQ(metrics.sends.at({"other", "sent"}).Value(), 1);
  EXPECT_EQ(metrics.sends.at({"whatsapp", "sent"}).Value(), 1);
}

}  // namespace
}  // namespace sender
