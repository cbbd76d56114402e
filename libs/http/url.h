#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace http {

struct Url {
  bool is_tls = false;
  std::string host;  // lower case; an IPv6 address without its brackets
  std::uint16_t port = 0;
  std::string authority;  // for the Host field: with brackets, without a default port
  std::string target;     // path and query, at least "/"

  std::string Text() const;  // the whole URL again

  // What connections are pooled by.
  std::string PoolKey() const;
};

// http:// and https:// only; a fragment is cut off. InvalidArgument: another scheme, user information, no host, a bad
// port, characters that a request line cannot carry.
absl::StatusOr<Url> ParseUrl(std::string_view text);

}  // namespace http
