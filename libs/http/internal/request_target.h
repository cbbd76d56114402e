#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace http::internal {

// The decoded path of a request target: origin form ("/a%20b?q"), absolute form ("http://host/a") or "*" (RFC
// 9112, 3.2). nullopt: anything else, a malformed escape, or an escape that hides a control character.
std::optional<std::string> PathOfTarget(std::string_view target);

}  // namespace http::internal
