#pragma once

#include <string_view>

namespace config {

// Whether an operator has named a host as URLs do once they are read: at least two labels, in lower case, the last of
// which is no number (an address looks like that). No scheme, port, wildcard or dot at either end.
bool IsHostName(std::string_view text);

}  // namespace config
