#pragma once

#include <string_view>

#include "libs/bus/options.h"

namespace bus::internal {

// The topic's name without prefix as a metric label; "other" for a topic that is none of the seven, so that the label
// has a bounded set of values. The result is a constant.
std::string_view TopicLabel(const BusOptions& bus, std::string_view topic);

}  // namespace bus::internal
