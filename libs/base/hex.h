#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base {

std::string ToHex(std::string_view bytes);                 // lower case
std::optional<std::string> FromHex(std::string_view hex);  // nullopt: odd length or a character that is no digit

}  // namespace base
