#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/bus/group_lag.h"
#include "libs/bus/topics.h"
#include "libs/json/writer.h"
#include "services/meshctl/command.h"
#include "services/meshctl/connections.h"
#include "services/meshctl/groups.h"

namespace meshctl {
namespace {

constexpr auto kTimeout = std::chrono::seconds(10);

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

void PrintRow(std::string_view group, std::string_view topic, std::string_view partition, std::string_view committed,
              std::string_view end, std::string_view lag) {
  const auto print = [](int width, std::string_view cell) {
    std::printf("%*.*s ", width, static_cast<int>(cell.size()), cell.data());
  };
  print(-16, group), print(-20, topic), print(9, partition), print(12, committed), print(12, end);
  std::printf("%8.*s\n", static_cast<int>(lag.size()), lag.data());
}

}  // namespace

int RunLag(int argc, const char* const* argv) {
  Connections connections;
  Groups names;
  bool all = false;
  bool as_json = false;
  config::OptionTable table("meshctl lag",
                            "Shows where each consumer group stands: lag is end - committed, in messages.");
  table.Add("all", &all, {.doc = "Also partitions that have no lag."});
  table.Add("json", &as_json, {.doc = "One line of JSON for each partition, with and without lag."});
  RegisterGroups(table, &names);
  RegisterConnections(table, &connections);
  table.AddExample("meshctl lag", "totals, and the partitions that are behind");
  table.AddExample("meshctl lag --json", "every partition, for programs");
  if (const std::optional<int> code = ParseCommand(table, argc, argv)) return *code;

  // All before the first line: half a table would look like an answer.
  std::vector<std::pair<GroupReader, std::vector<bus::PartitionLag>>> groups;
  for (const GroupReader& reader : {TurnsReader(names), RepliesReader(names), StatusesReader(names)}) {
    auto lags = bus::GroupTopicLag(connections.bus, reader.group, bus::TopicName(connections.bus, reader.topic))
                    .Look(In(kTimeout));
    if (!lags.ok()) return Fail("lag: is the mesh running?", lags.status());
    groups.emplace_back(reader, *std::move(lags));
  }
  if (!as_json) PrintRow("GROUP", "TOPIC", "PARTITION", "COMMITTED", "END", "LAG");
  for (const auto& [reader, lags] : groups) {
    const std::string_view group = reader.group;
    std::int64_t total = 0;
    for (const bus::PartitionLag& lag : lags) {
      total += lag.lag();
      if (as_json) {
        PrintJson(group, lag);
      } else if (all || lag.lag() != 0) {
        PrintRow(group, lag.partition.topic, std::to_string(lag.partition.partition),
                 lag.committed < 0 ? "never" : std::to_string(lag.committed), std::to_string(lag.end),
                 std::to_string(lag.lag()));
      }
    }
    if (!as_json && !lags.empty()) {
      PrintRow(group, lags.front().partition.topic, "all", "", "", std::to_string(total));
    }
    // No failure: so it is for a second after the first message of all.
    const absl::Status committed = CheckEverCommitted(reader, connections.bus, lags);
    if (!committed.ok()) std::fprintf(stderr, "lag: %s\n", std::string(committed.message()).c_str());
  }
  return 0;
}

}  // namespace meshctl
