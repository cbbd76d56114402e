#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "libs/bus/group_lag.h"
#include "libs/bus/groups.h"
#include "libs/bus/options.h"
#include "libs/config/option_table.h"

namespace meshctl {

// The consumer groups of the services, as their --group names them.
struct Groups {
  std::string worker{bus::kWorkerGroup};
  std::string sender{bus::kSenderGroup};
};
void RegisterGroups(config::OptionTable& table, Groups* groups);

struct GroupReader {
  std::string group;        // without the topic prefix
  std::string_view topic;   // likewise
  std::string_view option;  // that names the group
};
GroupReader TurnsReader(const Groups& groups);
GroupReader RepliesReader(const Groups& groups);
GroupReader StatusesReader(const Groups& groups);

// FailedPrecondition, with what to do, where records stand in the topic and the group has never committed anything of
// it: a group of another name looks like one that has everything before it.
absl::Status CheckEverCommitted(const GroupReader& reader, const bus::BusOptions& options,
                                std::span<const bus::PartitionLag> lags);

}  // namespace meshctl
