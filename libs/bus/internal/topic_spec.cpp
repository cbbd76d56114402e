#include "libs/bus/internal/topic_spec.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "libs/base/str_cat.h"
#include "libs/bus/internal/client_config.h"
#include "libs/bus/internal/topic_label.h"
#include "libs/bus/topics.h"
#include "libs/retention/retention.h"

namespace bus::internal {
namespace {

std::string Milliseconds(std::chrono::milliseconds time) { return std::to_string(time.count()); }

std::vector<TopicSetting> Settings(std::string cleanup_policy, std::chrono::days kept) {
  return {
      {.name = "cleanup.policy", .wanted = std::move(cleanup_policy)},
      {.name = "retention.ms", .wanted = Milliseconds(kept), .rule = TopicSetting::Rule::kAtLeast},
      {.name = "max.message.bytes", .wanted = std::to_string(kRecordBytesMax), .rule = TopicSetting::Rule::kAtLeast},
      // By the broker's clock: records stamped by a producer whose clock is days behind would be retention's at once,
      // and those of one that is an hour ahead are refused (message.timestamp.after.max.ms).
      {.name = "message.timestamp.type", .wanted = "LogAppendTime"},
      // Retention removes whole segments, so a segment that is open for the default week would hold records for two.
      {.name = "segment.ms", .wanted = Milliseconds(std::chrono::days(1)), .checked = false},
  };
}

std::optional<std::int64_t> ToInt(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Kafka lists policies in any order: "compact,delete" and "delete,compact" are the same.
std::string Sorted(std::string_view list) {
  std::vector<std::string> items;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view item = list.substr(0, comma);
    while (item.starts_with(' ')) item.remove_prefix(1);
    items.emplace_back(item);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  std::sort(items.begin(), items.end());
  std::string joined;
  for (const std::string& item : items) joined += joined.empty() ? item : "," + item;
  return joined;
}

bool Satisfies(const TopicSetting& setting, std::string_view found) {
  if (setting.rule == TopicSetting::Rule::kEqual) return Sorted(found) == Sorted(setting.wanted);
  const std::optional<std::int64_t> number = ToInt(found);
  if (!number) return false;
  const bool without_limit = *number == -1 && setting.name == "retention.ms";
  return without_limit || *number >= *ToInt(setting.wanted);
}

}  // namespace

const std::vector<TopicSpec>& TopicSpecs() {
  static const auto& specs = *new std::vector<TopicSpec>{
      {.topic = kTurns, .per_conversation = true, .settings = Settings("delete", retention::kLog)},
      {.topic = kReplies, .per_conversation = true, .settings = Settings("delete", retention::kLog)},
      {.topic = kStatuses, .per_conversation = true, .settings = Settings("delete", retention::kLog)},
      {.topic = kSendLedger, .per_conversation = true, .settings = Settings("compact,delete", retention::kLog)},
      {.topic = kParked, .per_conversation = true, .settings = Settings("delete", retention::kForOperators)},
      {.topic = kDeadLetter, .per_conversation = false, .settings = Settings("delete", retention::kForOperators)},
      {.topic = kAudit, .per_conversation = false, .settings = Settings("delete", retention::kForOperators)},
  };
  return specs;
}

std::vector<TopicSetting> SettingsOf(const TopicSpec& spec, std::int32_t replication_factor) {
  std::vector<TopicSetting> settings = spec.settings;
  if (replication_factor >= 3) {
    settings.push_back({.name = "min.insync.replicas", .wanted = "2", .rule = TopicSetting::Rule::kAtLeast});
  }
  return settings;
}

absl::Status CheckSetting(std::string_view topic, const TopicSetting& setting, std::string_view found) {
  if (!setting.checked || Satisfies(setting, found)) return absl::OkStatus();
  const std::string_view at_least = setting.rule == TopicSetting::Rule::kAtLeast ? "at least " : "";
  return absl::FailedPreconditionError(
      base::StrCat("topic ", topic, ": ", setting.name, " is ", found, ", wanted ", at_least, setting.wanted,
                   "; change it with kafka-configs.sh --alter --entity-type topics --entity-name ", topic,
                   " --add-config ", setting.name, "=", setting.wanted, ", or start with another kafka-topic-prefix"));
}

std::string_view TopicLabel(const BusOptions& bus, std::string_view topic) {
  if (!topic.starts_with(bus.topic_prefix)) return "other";
  topic.remove_prefix(bus.topic_prefix.size());
  for (const TopicSpec& spec : TopicSpecs()) {
    if (spec.topic == topic) return spec.topic;
  }
  return "other";
}

}  // namespace bus::internal
