#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "libs/account/account.h"
#include "libs/http/url.h"

namespace media::internal {

// From where a URL of an attachment may be fetched.
enum class Route {
  kRefused,
  kPublic,  // https on port 443 of one of the channel's media hosts, or the operator's; the address must be public
  kGraph,   // the Graph API's own scheme, host and port, as the operator set them; development accounts only
};

// Webhooks are signed, but what URLs stand in them is not ours to trust: a URL decides nothing beyond which of Meta's
// media hosts is asked. The same judgement for each redirect.
// `hosts_more` are the operator's, as CheckHosts accepts them.
Route RouteOf(const http::Url& url, const account::Account& account, const std::vector<std::string>& hosts_more);

// Each is a name with a dot in it, in lower case, which stands for itself; or begins with a dot, and stands for every
// name below what follows. InvalidArgument names what is neither: an address, a port, a URL, a top level.
absl::Status CheckHosts(const std::vector<std::string>& hosts);

bool SameOrigin(const http::Url& a, const http::Url& b);

// Where a redirect leads: a whole URL, or a path on the same origin. nullopt for everything else.
std::optional<http::Url> RedirectTarget(const http::Url& from, std::string_view location);

}  // namespace media::internal
