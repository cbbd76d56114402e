#include "loadtest/fake_channel_api/account_desk.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "libs/account/login.h"
#include "libs/base/str_cat.h"
#include "libs/crypto/digest.h"
#include "libs/json/writer.h"
#include "loadtest/fake_channel_api/target.h"

namespace fake_channel_api {
namespace {

constexpr std::string_view kApp = "100000000000000";  // of every token here

http::Response Refused(const GraphError& error) { return ToResponse(error, mesh::bus::v1::CHANNEL_UNSPECIFIED); }

// "{app id}|{app secret}", with the secret of any account.
bool IsTokenOfTheApp(std::string_view token, const account::AccountBook& accounts) {
  for (const account::Account& account : accounts.accounts()) {
    for (const crypto::Secret& secret : account.app_secrets) {
      // Reveal: what Meta's side knows
      if (crypto::ConstantTimeEquals(token, base::StrCat(kApp, "|", secret.Reveal()))) return true;
    }
  }
  return false;
}

bool IsWhatsApp(const account::Account& account) { return account.channel == mesh::bus::v1::CHANNEL_WHATSAPP; }

// What Meta wants of a token, written down here once more: this program takes nobody's word.
std::vector<std::string> ScopesOf(const account::Account& account) {
  if (IsWhatsApp(account)) return {"whatsapp_business_management", "whatsapp_business_messaging"};
  if (account.channel == mesh::bus::v1::CHANNEL_MESSENGER) return {"pages_manage_metadata", "pages_messaging"};
  return {"instagram_basic", "instagram_manage_messages", "pages_manage_metadata"};
}

// One field that the token may not have costs the whole request.
std::optional<GraphError> FieldTrouble(const account::Account& account, const AccountState& state,
                                       const std::vector<std::string>& fields) {
  if (account::IsInstagramLogin(account)) return std::nullopt;
  const std::vector<std::string> scopes = state.token_scopes.value_or(ScopesOf(account));
  for (const std::string& field : fields) {
    const std::string_view needed = field.starts_with("messag") ? "pages_messaging" : "pages_manage_metadata";
    if (std::ranges::find(scopes, needed) != scopes.end()) continue;
    return GraphError{.http_status = 403,
                      .code = 200,
                      .message = base::StrCat("(#200) To subscribe to the ", field.substr(0, 64),
                                              " field, one of these permissions is needed: ", needed)};
  }
  return std::nullopt;
}

// `id` is whom the path names: of an Instagram account that is reached by its page, "me" is the page; with Instagram
// Login every `id` is one of the app's own, and user_id is the account's (channels.md 4.2).
std::string IdOf(const http::Request& request, const account::Account& account) {
  if (account::IsInstagramLogin(account)) return base::StrCat("26", account.account_id);
  const bool is_page = account::IsInstagramByPage(account) && request.path.ends_with("/me");
  return is_page ? base::StrCat("61", account.account_id) : account.account_id;
}

// Those fields alone that were asked for; the id always.
http::Response DescribeAccount(const http::Request& request, const account::Account& account,
                               const AccountState& state) {
  std::vector<std::pair<std::string_view, std::string_view>> known = {{"name", account.display_name}};
  if (account::IsInstagramLogin(account)) known.emplace_back("user_id", account.account_id);
  if (IsWhatsApp(account)) {
    known = {{"verified_name", account.display_name},
             {"quality_rating", state.quality_rating},
             {"status", state.status},
             {"whatsapp_business_manager_messaging_limit", state.messaging_limit_tier}};
  }
  const std::vector<std::string> fields = absl::StrSplit(request.Query("fields").value_or("id"), ',');
  json::Writer json;
  json.BeginObject();
  for (const std::string& field : fields) {
    if (field == "id") continue;
    const auto found = std::ranges::find(known, field, [](const auto& entry) { return entry.first; });
    if (found == known.end()) {
      return Refused(InvalidParameter(base::StrCat("Tried accessing nonexisting field (", field.substr(0, 64), ")")));
    }
    json.Field(found->first, found->second);
  }
  json.Field("id", IdOf(request, account));
  json.EndObject();
  return JsonAnswer(std::move(json).Take());
}

http::Response DescribeSubscription(const account::Account& account, const AccountState& state) {
  json::Writer json;
  json.BeginObject();
  json.Key("data");
  json.BeginArray();
  if (state.subscribed) {
    json.BeginObject();
    if (IsWhatsApp(account)) {
      json.Key("whatsapp_business_api_data");
      json.BeginObject();
      json.Field("id", kApp);
      json.EndObject();
    } else {
      json.Field("id", kApp);
      json.Key("subscribed_fields");
      json.BeginArray();
      for (const std::string& field : state.subscribed_fields) json.String(field);
      json.EndArray();
    }
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return JsonAnswer(std::move(json).Take());
}

}  // namespace

std::optional<GraphError> AccountDesk::TokenTrouble(const account::Account& account) const {
  if (!states_.Of(account).token_expired) return std::nullopt;
  return GraphError{.http_status = 401,
                    .code = 190,
                    .subcode = 463,
                    .message = "Error validating access token: Session has expired."};
}

std::variant<const account::Account*, GraphError> AccountDesk::FindLiving(const http::Request& request,
                                                                          std::string_view edge,
                                                                          const account::AccountBook& accounts) const {
  std::variant<const account::Account*, GraphError> target = FindTarget(request, edge, accounts);
  if (const auto* account = std::get_if<const account::Account*>(&target)) {
    if (std::optional<GraphError> trouble = TokenTrouble(**account)) return *std::move(trouble);
  }
  return target;
}

http::Response AccountDesk::Get(const http::Request& request, const account::AccountBook& accounts) const {
  if (request.path.ends_with("/debug_token")) return DebugToken(request, accounts);
  const std::string_view edge =
      request.path.ends_with(base::StrCat("/", kSubscribedAppsEdge)) ? kSubscribedAppsEdge : "";
  const auto target = FindLiving(request, edge, accounts);
  if (const GraphError* error = std::get_if<GraphError>(&target)) return Refused(*error);
  const account::Account& account = *std::get<const account::Account*>(target);
  const AccountState state = states_.Of(account);
  return edge.empty() ? DescribeAccount(request, account, state) : DescribeSubscription(account, state);
}

http::Response AccountDesk::DebugToken(const http::Request& request, const account::AccountBook& accounts) const {
  if (!IsTokenOfTheApp(TokenOf(request), accounts)) {
    const account::Account* const asking = FindByToken(TokenOf(request), accounts);
    if (asking == nullptr) return Refused(NoToken(TokenOf(request)));
    // graph.instagram.com has no such thing.
    if (account::IsInstagramLogin(*asking)) return Refused(UnknownObject("debug_token"));
    if (const std::optional<GraphError> trouble = TokenTrouble(*asking)) return Refused(*trouble);
  }
  const account::Account* const asked = FindByToken(request.Query("input_token").value_or(""), accounts);
  if (asked == nullptr) return Refused(InvalidParameter("The parameter input_token is required."));
  const AccountState state = states_.Of(*asked);
  json::Writer json;
  json.BeginObject();
  json.Key("data");
  json.BeginObject();
  json.Field("app_id", kApp);
  json.Field("type", IsWhatsApp(*asked) ? "SYSTEM_USER" : "PAGE");
  json.Key("scopes");
  json.BeginArray();
  for (const std::string& scope : state.token_scopes.value_or(ScopesOf(*asked))) json.String(scope);
  json.EndArray();
  json.Field("is_valid", !state.token_expired);
  json.Field("expires_at", state.token_expires_at);
  json.Field("data_access_expires_at", state.data_access_expires_at);
  json.EndObject();
  json.EndObject();
  return JsonAnswer(std::move(json).Take());
}

http::Response AccountDesk::Subscribe(const http::Request& request, const account::AccountBook& accounts) {
  const auto target = FindLiving(request, kSubscribedAppsEdge, accounts);
  if (const GraphError* error = std::get_if<GraphError>(&target)) return Refused(*error);
  const account::Account& account = *std::get<const account::Account*>(target);
  std::vector<std::string> fields;
  if (!IsWhatsApp(account)) {
    fields = absl::StrSplit(request.Query("subscribed_fields").value_or(""), ',', absl::SkipEmpty());
    if (fields.empty()) return Refused(InvalidParameter("The parameter subscribed_fields is required."));
    if (const std::optional<GraphError> trouble = FieldTrouble(account, states_.Of(account), fields)) {
      return Refused(*trouble);
    }
  }
  states_.Subscribe(account, std::move(fields));
  json::Writer json;
  json.BeginObject();
  json.Field("success", true);
  json.EndObject();
  return JsonAnswer(std::move(json).Take());
}

http::Response AccountDesk::Control(const http::Request& request, const account::AccountBook& accounts) {
  const std::string_view id = std::string_view(request.path).substr(request.path.rfind('/') + 1);
  const auto found = std::ranges::find(accounts.accounts(), id, &account::Account::account_id);
  if (found == accounts.accounts().end()) return {.status = 404, .headers = {}, .body = "no such account\n"};
  if (request.method == "POST") {
    if (const absl::Status status = states_.Apply(*found, request.body); !status.ok()) {
      return {.status = 400, .headers = {}, .body = base::StrCat(status.message(), "\n")};
    }
  }
  return JsonAnswer(ToJson(states_.Of(*found)));
}

}  // namespace fake_channel_api
