#include "libs/http/internal/request_target.h"

#include <algorithm>

#include "libs/http/internal/ascii.h"
#include "libs/http/internal/header_scan.h"
#include "libs/http/message.h"

namespace http::internal {

std::optional<std::string> PathOfTarget(std::string_view target) {
  if (target == "*") return "*";
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!StartsWithIgnoreCase(target, scheme)) continue;
    target.remove_prefix(scheme.size());
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
    if (target.empty() || target.front() == '?') return "/";
  }
  if (target.empty() || target.front() != '/') return std::nullopt;
  std::optional<std::string> path = PercentDecode(target.substr(0, target.find('?')), /*plus_is_space=*/false);
  if (path && !IsFieldValue(*path)) return std::nullopt;
  return path;
}

}  // namespace http::internal
