#include "services/meshctl/groups.h"

#include <algorithm>

#include "libs/base/str_cat.h"
#include "libs/bus/topics.h"

namespace meshctl {
namespace {

constexpr char kWorkerOption[] = "worker-group";
constexpr char kSenderOption[] = "sender-group";

}  // namespace

void RegisterGroups(config::OptionTable& table, Groups* groups) {
  table.Add(kWorkerOption, &groups->worker,
            {.doc = "The workers' consumer group, their --group. The topic prefix is put before it."});
  table.Add(kSenderOption, &groups->sender,
            {.doc = "The senders' consumer group, their --group. The topic prefix is put before it."});
}

GroupReader TurnsReader(const Groups& groups) { return {groups.worker, bus::kTurns, kWorkerOption}; }
GroupReader RepliesReader(const Groups& groups) { return {groups.sender, bus::kReplies, kSenderOption}; }
GroupReader StatusesReader(const Groups& groups) {
  return {bus::StatusesGroup(groups.sender), bus::kStatuses, kSenderOption};
}

absl::Status CheckEverCommitted(const GroupReader& reader, const bus::BusOptions& options,
                                std::span<const bus::PartitionLag> lags) {
  const bool any_commit = std::ranges::any_of(lags, [](const bus::PartitionLag& lag) { return lag.committed >= 0; });
  const bool any_record = std::ranges::any_of(lags, [](const bus::PartitionLag& lag) { return lag.end > 0; });
  if (any_commit || !any_record) return absl::OkStatus();
  return absl::FailedPreconditionError(
      base::StrCat("group ", options.topic_prefix, reader.group, " has never committed anything of ",
                   bus::TopicName(options, reader.topic), ", in which records stand. Where the services run with a ",
                   "--group of their own, name it with --", reader.option,
                   "; else none has finished a record yet: look at its /readyz and its log"));
}

}  // namespace meshctl
