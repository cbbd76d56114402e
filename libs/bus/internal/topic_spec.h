#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace bus::internal {

// A setting that a topic must have. A topic may keep records longer, or take larger ones, than asked for; its cleanup
// policy must be the one stated.
struct TopicSetting {
  enum class Rule { kEqual, kAtLeast };
  std::string name;
  std::string wanted;
  Rule rule = Rule::kEqual;
  bool checked = true;  // false: set on creation, left to the operator afterwards
};

struct TopicSpec {
  std::string_view topic;         // without prefix
  bool per_conversation = false;  // partition count equal across all of these
  std::vector<TopicSetting> settings;
};

// The seven topics of design.md, "Topics".
const std::vector<TopicSpec>& TopicSpecs();

// What a topic with so many copies must have. From three copies on also min.insync.replicas: an acknowledged record
// must stand on two brokers, else the loss of one loses what a webhook's 200 promised. With fewer copies two would stop
// the mesh at each restart of a broker.
std::vector<TopicSetting> SettingsOf(const TopicSpec& spec, std::int32_t replication_factor);

// Whether `found` satisfies `setting`; the error names topic, setting, found and wanted.
absl::Status CheckSetting(std::string_view topic, const TopicSetting& setting, std::string_view found);

}  // namespace bus::internal
