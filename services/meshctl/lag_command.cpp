#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "libs/bus/group_lag.h"
#include "libs/bus/topics.h"
#include "libs/json/writer.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"

namespace meshctl {
namespace {

constexpr auto kTimeout = std::chrono::seconds(10);

// Who reads what; groups without the topic prefix.
constexpr std::pair<std::string_view, std::string_view> kReaders[] = {
    {"worker", bus::kTurns}, {"sender", bus::kReplies}, {"sender-statuses", bus::kStatuses}};

void PrintJson(std::string_view group, const bus::PartitionLag& lag) {
  json::Writer json;
  json.BeginObject();
  json.Field("group", group);
  json.Field("topic", lag.partition.topic);
  json.Field("partition", lag.partition.partition);
  json.Field("committed", lag.committed);
  json.Field("end", lag.end);
  json.Field("lag", lag.lag());
  json.EndObject();
  std::printf("%s\n", std::move(json).Take().c_str());
}

}  // namespace

int RunLag(int argc, const char* const* argv) {
  Connections connections;
  bool all = false;
  bool as_json = false;
  config::OptionTable table("meshctl lag",
                            "Shows where each consumer group stands: lag is end - committed, in messages.");
  table.Add("all", &all, {.doc = "Also partitions that have no lag."});
  table.Add("json", &as_json, {.doc = "One line of JSON for each partition, with and without lag."});
  RegisterConnections(table, &connections);
  table.AddExample("meshctl lag", "totals, and the partitions that are behind");
  table.AddExample("meshctl lag --json", "every partition, for programs");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;

  if (!as_json)
    std::printf("%-16s %-20s %9s %12s %12s %8s\n", "GROUP", "TOPIC", "PARTITION", "COMMITTED", "END", "LAG");
  for (const auto& [group, name] : kReaders) {
    const std::string topic = bus::TopicName(connections.bus, name);
    const auto lags = bus::GroupTopicLag(connections.bus, std::string(group), topic).Look(In(kTimeout));
    if (!lags.ok()) return Fail("lag", lags.status());
    std::int64_t total = 0;
    for (const bus::PartitionLag& lag : *lags) {
      total += lag.lag();
      if (as_json) PrintJson(group, lag);
      if (as_json) continue;
      if (!all && lag.lag() == 0) continue;
      std::printf("%-16s %-20s %9d %12lld %12lld %8lld\n", std::string(group).c_str(), topic.c_str(),
                  lag.partition.partition, static_cast<long long>(lag.committed), static_cast<long long>(lag.end),
                  static_cast<long long>(lag.lag()));
    }
    if (as_json) continue;
    std::printf("%-16s %-20s %9s %12s %12s %8lld\n", std::string(group).c_str(), topic.c_str(), "all", "", "",
                static_cast<long long>(total));
  }
  return 0;
}

}  // namespace meshctl
