#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "libs/bus/group_lag.h"
#include "libs/bus/topics.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"

namespace meshctl {
namespace {

constexpr auto kTimeout = std::chrono::seconds(10);

// Who reads what; groups without the topic prefix.
constexpr std::pair<std::string_view, std::string_view> kReaders[] = {
    {"worker", bus::kTurns}, {"sender", bus::kReplies}, {"sender-statuses", bus::kStatuses}};

}  // namespace

int RunLag(int argc, const char* const* argv) {
  Connections connections;
  bool all = false;
  config::OptionTable table("meshctl lag", "Shows where each consumer group stands: lag is end - committed, in messages.");
  table.Add("all", &all, {.doc = "Also partitions that have no lag."});
  RegisterConnections(table, &connections);
  table.AddExample("meshctl lag", "totals, and the partitions that are behind");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;

  std::printf("%-16s %-20s %9s %12s %12s %8s\n", "GROUP", "TOPIC", "PARTITION", "COMMITTED", "END", "LAG");
  for (const auto& [group, name] : kReaders) {
    const std::string topic = bus::TopicName(connections.bus, name);
    const auto lags = bus::GroupLag(connections.bus, group, topic, In(kTimeout));
    if (!lags.ok()) return Fail("lag", lags.status());
    std::int64_t total = 0;
    for (const bus::PartitionLag& lag : *lags) {
      total += lag.lag();
      if (!all && lag.lag() == 0) continue;
      std::printf("%-16s %-20s %9d %12lld %12lld %8lld\n", std::string(group).c_str(), topic.c_str(), lag.partition.partition,
                  static_cast<long long>(lag.committed), static_cast<long long>(lag.end), static_cast<long long>(lag.lag()));
    }
    std::printf("%-16s %-20s %9s %12s %12s %8lld\n", std::string(group).c_str(), topic.c_str(), "all", "", "",
                static_cast<long long>(total));
  }
  return 0;
}

}  // namespace meshctl
