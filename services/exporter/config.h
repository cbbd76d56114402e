#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/app/app.h"
#include "libs/bus/options.h"
#include "libs/config/option_table.h"
#include "libs/redis/options.h"

namespace exporter {

struct Options {
  app::CommonOptions common;
  bus::BusOptions bus;
  redis::RedisOptions redis;
  std::vector<std::string> groups = {"worker:turns", "sender:replies", "sender-statuses:statuses"};
  std::int32_t interval_ms = 5000;
  std::string nvml_library = "libnvidia-ml.so.1";
  std::string accounts;  // empty: no account is polled
  std::int32_t account_poll_s = 600;
};

// A consumer group and a topic it reads, both without the topic prefix.
struct GroupAndTopic {
  std::string group;
  std::string topic;
};

void RegisterOptions(config::OptionTable& table, Options* options);

// InvalidArgument names the entry of --groups that is not group:topic, or says that there are too many.
absl::StatusOr<std::vector<GroupAndTopic>> ParseGroups(const std::vector<std::string>& groups);

}  // namespace exporter
