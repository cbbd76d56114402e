#include "services/exporter/config.h"

namespace exporter {
namespace {

constexpr std::size_t kGroupsMax = 64;  // each is a label value

}  // namespace

void RegisterOptions(config::OptionTable& table, Options* options) {
  options->common.admin_port = 9104;
  app::RegisterCommonOptions(table, &options->common);
  bus::RegisterBusOptions(table, &options->bus);
  redis::RegisterRedisOptions(table, &options->redis);
  table.Add("groups", &options->groups,
            {.doc = "Consumer groups whose lag is exported, as group:topic, without the topic prefix; at most 64.",
             .unit = "group:topic,..."});
  table.Add("interval-ms", &options->interval_ms,
            {.doc = "Time between two looks at Kafka, Redis and the GPUs; also how exact the queue age is.",
             .unit = "ms",
             .min = 200,
             .max = 60000});
  table.Add("nvml-library", &options->nvml_library,
            {.doc = "NVIDIA's management library, opened when it is there. Without it no GPU figures are exported."});
  table.Add("accounts", &options->accounts,
            {.doc = "Accounts file whose Meta accounts are asked about at the Graph API: token, quality, limits and "
                    "webhook subscription, which is repaired where the account allows it. Reloaded when it changes; "
                    "empty: none is asked about. One exporter does this, whatever else is replicated.",
             .unit = "file"});
  table.Add("account-poll-s", &options->account_poll_s,
            {.doc = "Time between two polls of an account, give or take a tenth; a poll is three calls.",
             .unit = "s",
             .min = 1,
             .max = 86400});
  table.AddExample("exporter --kafka-brokers=127.0.0.1:9092 --redis-port=6379",
                   "exports lag, queue age and Redis figures");
}

absl::StatusOr<std::vector<GroupAndTopic>> ParseGroups(const std::vector<std::string>& groups) {
  if (groups.size() > kGroupsMax) return absl::InvalidArgumentError("--groups: at most 64 entries");
  std::vector<GroupAndTopic> parsed;
  for (const std::string& entry : groups) {
    const std::size_t colon = entry.find(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == entry.size()) {
      return absl::InvalidArgumentError("--groups: '" + entry + "' is not group:topic");
    }
    parsed.push_back({entry.substr(0, colon), entry.substr(colon + 1)});
  }
  return parsed;
}

}  // namespace exporter
