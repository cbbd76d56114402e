#include "libs/media/internal/source_policy.h"

#include <algorithm>
#include <span>

#include "absl/status/statusor.h"
#include "libs/base/str_cat.h"
#include "libs/config/host_name.h"

namespace media::internal {
namespace {

constexpr std::uint16_t kHttpsPort = 443;

// Meta's media hosts (channels.md 3.5); a leading dot: every name below it.
constexpr std::string_view kWhatsAppHosts[] = {".fbsbx.com", ".fbcdn.net", ".whatsapp.net"};
constexpr std::string_view kMessengerHosts[] = {".fbsbx.com", ".fbcdn.net"};
constexpr std::string_view kInstagramHosts[] = {".fbsbx.com", ".fbcdn.net", ".cdninstagram.com"};

std::span<const std::string_view> HostsOf(mesh::bus::v1::Channel channel) {
  switch (channel) {
    case mesh::bus::v1::CHANNEL_WHATSAPP:
      return kWhatsAppHosts;
    case mesh::bus::v1::CHANNEL_MESSENGER:
      return kMessengerHosts;
    case mesh::bus::v1::CHANNEL_INSTAGRAM:
      return kInstagramHosts;
    default:
      return {};
  }
}

bool IsBelow(std::string_view host, std::string_view suffix) {
  return host.size() > suffix.size() && host.ends_with(suffix);
}

bool IsMediaHost(std::string_view host, mesh::bus::v1::Channel channel, const std::vector<std::string>& hosts_more) {
  return std::ranges::any_of(HostsOf(channel), [host](std::string_view suffix) { return IsBelow(host, suffix); }) ||
         std::ranges::any_of(hosts_more, [host](std::string_view known) {
           return known.starts_with('.') ? IsBelow(host, known) : host == known;
         });
}

}  // namespace

absl::Status CheckHosts(const std::vector<std::string>& hosts) {
  for (const std::string_view host : hosts) {
    if (config::IsHostName(host.starts_with('.') ? host.substr(1) : host)) continue;
    return absl::InvalidArgumentError(base::StrCat(
        "--media-hosts: '", host, "' is no host; want media.example.com, or .example.com for all below it"));
  }
  return absl::OkStatus();
}

Route RouteOf(const http::Url& url, const account::Account& account, const std::vector<std::string>& hosts_more) {
  if (account.development) {
    const absl::StatusOr<http::Url> graph = http::ParseUrl(account.graph_base_url);
    if (graph.ok() && SameOrigin(url, *graph)) return Route::kGraph;
  }
  const bool is_public = url.is_tls && url.port == kHttpsPort && IsMediaHost(url.host, account.channel, hosts_more);
  return is_public ? Route::kPublic : Route::kRefused;
}

bool SameOrigin(const http::Url& a, const http::Url& b) { return a.PoolKey() == b.PoolKey(); }

std::optional<http::Url> RedirectTarget(const http::Url& from, std::string_view location) {
  const bool is_path = location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\");
  absl::StatusOr<http::Url> target =
      is_path ? http::ParseUrl(base::StrCat(from.is_tls ? "https://" : "http://", from.authority, location))
              : http::ParseUrl(location);
  if (!target.ok()) return std::nullopt;
  return *std::move(target);
}

}  // namespace media::internal
