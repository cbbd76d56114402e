#pragma once

#include <string>
#include <string_view>

namespace channel {

// The ending of the file that a link, or the target of one, names: lower case, without its dot; "" for none.
std::string ExtensionOf(std::string_view link);

}  // namespace channel
