#include "loadtest/fake_channel_api/target.h"

#include <optional>
#include <vector>

#include "absl/strings/str_split.h"
#include "libs/base/str_cat.h"
#include "libs/crypto/digest.h"

namespace fake_channel_api {
namespace {

// The account id in "/v25.0/{id}/{edge}", or in "/v25.0/{id}" where the edge is "".
std::optional<std::string> AccountIdIn(std::string_view path, std::string_view edge) {
  std::vector<std::string> parts = absl::StrSplit(std::string(path), '/');
  if (edge.empty()) parts.emplace_back();
  const bool shaped = parts.size() == 4 && parts[0].empty() && parts[1].size() > 1 && parts[1][0] == 'v' &&
                      parts[1].find_first_not_of("0123456789.", 1) == std::string::npos && !parts[2].empty() &&
                      parts[3] == edge;
  if (!shaped) return std::nullopt;
  return parts[2];
}

bool IsTokenOf(std::string_view token, const account::Account& account) {
  // Reveal: what Meta's side knows
  return !token.empty() && !account.access_token.empty() &&
         crypto::ConstantTimeEquals(token, account.access_token.Reveal());
}

// An id that names the account: its own, or for its webhooks that of its WABA.
bool IsNamed(const account::Account& account, std::string_view id, std::string_view edge) {
  return account.account_id == id || (edge == kSubscribedAppsEdge && !id.empty() && account.waba_id == id);
}

}  // namespace

GraphError UnknownObject(std::string_view id) {
  return {.http_status = 400,
          .code = 100,
          .subcode = 33,
          .message = base::StrCat(
              "Unsupported post request. Object with ID '", std::string(id.substr(0, 64)),
              "' does not exist, cannot be loaded due to missing permissions, or does not support this operation.")};
}

std::string TokenOf(const http::Request& request) {
  static constexpr std::string_view kScheme = "Bearer ";
  const std::string_view header = request.Header("authorization");
  if (header.empty()) return request.Query("access_token").value_or("");
  return header.substr(0, kScheme.size()) == kScheme ? std::string(header.substr(kScheme.size())) : "";
}

const account::Account* FindByToken(std::string_view token, const account::AccountBook& accounts) {
  for (const account::Account& account : accounts.accounts()) {
    if (IsTokenOf(token, account)) return &account;
  }
  return nullptr;
}

bool HasToken(const http::Request& request, const account::AccountBook& accounts) {
  return FindByToken(TokenOf(request), accounts) != nullptr;
}

GraphError NoToken(std::string_view token) {
  return {.http_status = 401,
          .code = 190,
          .message = token.empty() ? "An access token is required to request this resource."
                                   : "Invalid OAuth access token - Cannot parse access token"};
}

std::variant<const account::Account*, GraphError> FindTarget(const http::Request& request, std::string_view edge,
                                                             const account::AccountBook& accounts) {
  const std::optional<std::string> id = AccountIdIn(request.path, edge);
  if (!id) return UnknownObject(request.path);
  const std::string token = TokenOf(request);
  const account::Account* by_token = nullptr;
  const account::Account* target = nullptr;
  for (const account::Account& account : accounts.accounts()) {
    if (!IsTokenOf(token, account)) continue;
    if (by_token == nullptr) by_token = &account;
    if (target == nullptr && IsNamed(account, *id, edge)) target = &account;
  }
  if (by_token == nullptr) return NoToken(token);
  if (*id == "me" && by_token->channel != mesh::bus::v1::CHANNEL_WHATSAPP) target = by_token;
  if (target == nullptr) return UnknownObject(*id);
  return target;
}

}  // namespace fake_channel_api
