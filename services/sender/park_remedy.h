#pragma once

#include <string_view>

#include "libs/channel/graph_error.h"

namespace sender {

// What the operator can do about an account that cannot send, for the log.
std::string_view RemedyFor(channel::GraphErrorClass error_class);

// The same where not even the request could be made: Meta was not asked.
inline constexpr std::string_view kUnusableRequestRemedy =
    "correct graph_base_url of the account in the --accounts file, or its access token";

}  // namespace sender
