#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace channel {

// Milliseconds since the epoch of "2025-06-08T20:59:43[.fraction](Z|+hh:mm|+hhmm)"; a missing zone is UTC.
// nullopt for anything else, impossible dates included.
std::optional<std::int64_t> ParseIsoTimeMs(std::string_view text);

}  // namespace channel
