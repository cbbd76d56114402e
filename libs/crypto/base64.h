#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace crypto {

std::string Base64Encode(std::string_view bytes);                   // RFC 4648 section 4, with padding
std::optional<std::string> Base64Decode(std::string_view text);     // nullopt on any deviation from it

}  // namespace crypto
