#include "libs/channel/internal/send_request.h"

#include <utility>

#include "libs/base/str_cat.h"

namespace channel {
namespace {

// Ids come from a configuration file; a stray character in one must not become another path.
std::string PathSegment(std::string_view text) {
  static constexpr char kHexDigits[] = "0123456789ABCDEF";
  std::string escaped;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (plain) {
      escaped += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      escaped += {'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    }
  }
  return escaped;
}

}  // namespace

OutboundRequest MakeSendRequest(const account::Account& account, std::string body) {
  OutboundRequest request;
  std::string_view base_url = account.graph_base_url;
  if (base_url.ends_with('/')) base_url.remove_suffix(1);
  const std::string sender =
      account.channel == mesh::bus::v1::CHANNEL_INSTAGRAM ? "me" : PathSegment(account.account_id);
  request.url = base::StrCat(base_url, "/", PathSegment(account.graph_version), "/", sender, "/messages");
  request.body = std::move(body);
  const std::string_view token = account.access_token.Reveal();  // Reveal: the Authorization header
  request.authorization = "Bearer ";
  request.authorization.append(token);
  return request;
}

}  // namespace channel
