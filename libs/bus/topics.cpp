#include "libs/bus/topics.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "libs/base/may_retry.h"
#include "libs/base/str_cat.h"
#include "libs/bus/internal/client_config.h"
#include "libs/bus/internal/topic_admin.h"
#include "libs/bus/internal/topic_spec.h"

namespace bus {
namespace {

using internal::TopicAdmin;
using internal::TopicSpec;

// Dead letters and audit records are few and are read by tools.
constexpr std::int32_t kOtherPartitions = 3;
constexpr auto kLookAgain = std::chrono::milliseconds(50);

// Calls `step` until it succeeds, fails for good, or the deadline has passed.
template <typename Step>
auto UntilDeadline(base::MonotonicTime deadline, Step step) {
  while (true) {
    auto result = step();
    const absl::Status status = [&result] {
      if constexpr (std::is_same_v<decltype(result), absl::Status>) {
        return result;
      } else {
        return result.status();
      }
    }();
    if (!base::MayRetry(status) || base::Clock::Real().Now() + kLookAgain >= deadline) return result;
    std::this_thread::sleep_for(kLookAgain);
  }
}

// The partition count that all conversation topics which exist have; nullopt when none exists.
absl::StatusOr<std::optional<std::int32_t>> ConversationPartitions(
    const BusOptions& options, const std::map<std::string, std::int32_t>& existing) {
  std::optional<std::int32_t> partitions;
  std::string first_topic;
  for (const TopicSpec& spec : internal::TopicSpecs()) {
    const auto topic = existing.find(TopicName(options, spec.topic));
    if (!spec.per_conversation || topic == existing.end()) continue;
    if (!partitions) {
      partitions = topic->second;
      first_topic = topic->first;
    } else if (topic->second != *partitions) {
      return absl::FailedPreconditionError(
          base::StrCat("topic ", topic->first, ": partitions is ", topic->second, ", wanted ", *partitions,
                       " as topic ", first_topic,
                       " has; conversation topics are partitioned alike, so start with another "
                       "kafka-topic-prefix or recreate the topic"));
    }
  }
  return partitions;
}

// After a creation, waits until every partition is served. A producer that starts before can lose its first records:
// when a partition's first batch is refused and the second taken, the broker accepts the gap, because it knows no
// sequence yet.
absl::Status WaitUntilServed(TopicAdmin& admin, const BusOptions& options, base::MonotonicTime deadline,
                             const std::map<std::string, std::int32_t>& existing,
                             const std::map<std::string, std::int32_t>& all) {
  std::map<std::string, std::int32_t> created;
  for (const TopicSpec& spec : internal::TopicSpecs()) {
    const std::string name = TopicName(options, spec.topic);
    if (!existing.contains(name)) created.emplace(name, all.at(name));
  }
  return UntilDeadline(deadline, [&] { return admin.CheckServed(created, deadline); });
}

absl::Status CreateMissing(TopicAdmin& admin, const BusOptions& options, base::MonotonicTime deadline,
                           const std::map<std::string, std::int32_t>& existing, std::int32_t partitions) {
  std::vector<internal::NewTopic> missing;
  for (const TopicSpec& spec : internal::TopicSpecs()) {
    std::string name = TopicName(options, spec.topic);
    if (existing.contains(name)) continue;
    missing.push_back({.name = std::move(name),
                       .partitions = spec.per_conversation ? partitions : kOtherPartitions,
                       .replication_factor = options.replication_factor,
                       .settings = internal::SettingsOf(spec, options.replication_factor)});
  }
  return missing.empty() ? absl::OkStatus() : admin.Create(missing, deadline);
}

// All seven topics with their partition counts; Unavailable while some are not visible yet, as right after creation.
absl::StatusOr<std::map<std::string, std::int32_t>> AllTopics(TopicAdmin& admin, const BusOptions& options,
                                                              base::MonotonicTime deadline) {
  absl::StatusOr<std::map<std::string, std::int32_t>> existing = admin.List(deadline);
  if (!existing.ok()) return existing;
  for (const TopicSpec& spec : internal::TopicSpecs()) {
    const std::string name = TopicName(options, spec.topic);
    if (!existing->contains(name)) return absl::UnavailableError(base::StrCat("topic ", name, " is not there yet"));
  }
  return existing;
}

absl::Status CheckSettings(TopicAdmin& admin, const BusOptions& options, base::MonotonicTime deadline) {
  std::vector<std::string> names;
  for (const TopicSpec& spec : internal::TopicSpecs()) names.push_back(TopicName(options, spec.topic));
  const auto described = admin.Describe(names, deadline);
  if (!described.ok()) return described.status();
  // What counts is what the topics have, whoever created them.
  const auto copies = admin.ListCopies(deadline);
  if (!copies.ok()) return copies.status();
  for (const TopicSpec& spec : internal::TopicSpecs()) {
    const std::string name = TopicName(options, spec.topic);
    const auto& found = described->at(name);
    const auto has = copies->find(name);
    const std::int32_t copies_of_it = has == copies->end() ? 1 : has->second;
    for (const internal::TopicSetting& setting : internal::SettingsOf(spec, copies_of_it)) {
      const auto value = found.find(setting.name);
      absl::Status status = internal::CheckSetting(name, setting, value == found.end() ? "unset" : value->second);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string TopicName(const BusOptions& options, std::string_view topic) {
  return base::StrCat(options.topic_prefix, topic);
}

absl::StatusOr<std::int32_t> EnsureTopics(const BusOptions& options, base::MonotonicTime deadline) {
  absl::StatusOr<std::unique_ptr<TopicAdmin>> admin = TopicAdmin::Open(options);
  if (!admin.ok()) return admin.status();

  const auto existing = UntilDeadline(deadline, [&] { return (*admin)->List(deadline); });
  if (!existing.ok()) return existing.status();
  const auto present = ConversationPartitions(options, *existing);
  if (!present.ok()) return present.status();
  const absl::Status created = UntilDeadline(deadline, [&] {
    return CreateMissing(**admin, options, deadline, *existing, present->value_or(options.partitions));
  });
  if (!created.ok()) return created;

  // Another service may have created topics meanwhile, perhaps with other settings: what counts is what is there now.
  const auto all = UntilDeadline(deadline, [&] { return AllTopics(**admin, options, deadline); });
  if (!all.ok()) return all.status();
  const auto partitions = ConversationPartitions(options, *all);
  if (!partitions.ok()) return partitions.status();
  const absl::Status served = WaitUntilServed(**admin, options, deadline, *existing, *all);
  if (!served.ok()) return served;
  const absl::Status checked = UntilDeadline(deadline, [&] { return CheckSettings(**admin, options, deadline); });
  if (!checked.ok()) return checked;
  return partitions->value();
}

}  // namespace bus
