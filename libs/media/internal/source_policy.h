#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libs/account/account.h"
#include "libs/http/url.h"

namespace media::internal {

// From where a URL of an attachment may be fetched.
enum class Route {
  kRefused,
  kPublic,  // https on port 443 of one of the channel's media hosts; the address must be public
  kGraph,   // the Graph API's own scheme, host and port, as the operator set them; development accounts only
};

// Webhooks are signed, but what URLs stand in them is not ours to trust: a URL decides nothing beyond which of Meta's
// media hosts is asked. The same judgement for each redirect.
Route RouteOf(const http::Url& url, const account::Account& account);

bool SameOrigin(const http::Url& a, const http::Url& b);

// Where a redirect leads: a whole URL, or a path on the same origin. nullopt for everything else.
std::optional<http::Url> RedirectTarget(const http::Url& from, std::string_view location);

}  // namespace media::internal
