#include "libs/http/url.h"

#include <algorithm>
#include <charconv>

#include "absl/status/status.h"
#include "libs/base/str_cat.h"
#include "libs/http/internal/ascii.h"

namespace http {
namespace {

using internal::IsAlphanumeric;
using internal::StartsWithIgnoreCase;
using internal::ToLower;

constexpr std::size_t kUrlBytesMax = 16 * 1024;

bool IsHostChar(char c) { return IsAlphanumeric(c) || c == '-' || c == '.' || c == '_'; }
bool IsIpv6Char(char c) { return IsAlphanumeric(c) || c == ':' || c == '.'; }

absl::Status Bad(std::string_view what) { return absl::InvalidArgumentError(base::StrCat("url: ", what)); }

}  // namespace

std::string Url::PoolKey() const { return base::StrCat(is_tls ? "https" : "http", " ", host, " ", port); }

std::string Url::Text() const { return base::StrCat(is_tls ? "https://" : "http://", authority, target); }

absl::StatusOr<Url> ParseUrl(std::string_view text) {
  if (text.size() > kUrlBytesMax) return Bad("longer than 16 KiB");
  const auto printable = [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
  };
  if (!std::all_of(text.begin(), text.end(), printable)) return Bad("has a character that must be percent-encoded");
  Url url;
  if (StartsWithIgnoreCase(text, "https://")) {
    url.is_tls = true;
    text.remove_prefix(8);
  } else if (StartsWithIgnoreCase(text, "http://")) {
    text.remove_prefix(7);
  } else {
    return Bad("starts with neither http:// nor https://");
  }
  text = text.substr(0, text.find('#'));
  const std::size_t authority_end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, authority_end);
  url.target = std::string(text.substr(authority_end));
  if (url.target.empty() || url.target.front() == '?') url.target.insert(0, "/");
  if (authority.find('@') != std::string_view::npos) return Bad("has a user name");

  std::string_view host = authority;
  std::string_view port;
  const bool is_ipv6 = authority.starts_with('[');
  const std::size_t bracket = authority.find(']');
  if (is_ipv6 && bracket == std::string_view::npos) return Bad("has an unclosed bracket");
  const std::size_t colon = authority.find(':', is_ipv6 ? bracket : 0);
  if (colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    port = authority.substr(colon + 1);
  }
  if (is_ipv6) {
    if (host.back() != ']') return Bad("has text behind the bracket");
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty() || !std::all_of(host.begin(), host.end(), is_ipv6 ? IsIpv6Char : IsHostChar))
    return Bad("has no valid host");
  url.host = ToLower(host);
  const std::uint16_t default_port = url.is_tls ? 443 : 80;
  url.port = default_port;
  if (colon != std::string_view::npos) {
    const auto parsed = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size() || url.port == 0)
      return Bad("has a bad port");
  }
  url.authority = is_ipv6 ? base::StrCat("[", url.host, "]") : url.host;
  if (url.port != default_port) url.authority += base::StrCat(":", url.port);
  return url;
}

}  // namespace http
