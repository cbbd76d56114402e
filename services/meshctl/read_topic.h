#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libs/bus/options.h"
#include "libs/bus/record.h"

namespace meshctl {

// Reads one topic (without prefix) from its start to its end as it is now: a tool's way, which takes seconds on a log
// of gigabytes. `key`, of a conversation, limits it to that partition; empty: all partitions, interleaved.
absl::Status ReadTopic(const bus::BusOptions& options, std::string_view topic, const std::string& key,
                       const std::function<void(const bus::Record&)>& take);

}  // namespace meshctl
