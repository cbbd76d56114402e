#include "libs/graph/token_facts.h"

#include <algorithm>
#include <utility>

#include "libs/account/login.h"
#include "libs/base/str_cat.h"
#include "libs/json/value.h"

namespace graph {
namespace {

constexpr std::size_t kGrantsMax = 128;
constexpr std::size_t kTargetsMax = 256;   // of each
constexpr std::int64_t kUnknownApp = 101;  // (verify)

// Meta names a permission in both lists; one that stands in the second alone counts too.
std::optional<std::vector<Grant>> ReadGrants(const json::Value& data) {
  const json::Value scopes = data.Find("scopes"), granular = data.Find("granular_scopes");
  if (!scopes.is_array() && !granular.is_array()) return std::nullopt;
  std::vector<Grant> grants;
  for (const json::Value& scope : scopes.items()) {
    if (const auto name = scope.AsString(); name && grants.size() < kGrantsMax)
      grants.push_back({std::string(*name), {}});
  }
  for (const json::Value& entry : granular.items()) {
    const auto name = entry.Find("scope").AsString();
    if (!name) continue;
    auto grant = std::ranges::find(grants, *name, &Grant::scope);
    if (grant == grants.end()) {
      if (grants.size() >= kGrantsMax) continue;
      grant = grants.insert(grants.end(), {std::string(*name), {}});
    }
    for (const json::Value& target : entry.Find("target_ids").items()) {
      const std::optional<std::string> id = target.AsStringOrNumber();
      if (id && grant->targets.size() < kTargetsMax) grant->targets.push_back(*id);
    }
  }
  return grants;
}

// Whether it is the app itself that Meta does not know: the token that it asks with is its id and its secret.
bool IsOfApp(const Refusal& refusal) { return refusal.trouble == Trouble::kToken || refusal.code == kUnknownApp; }

Refusal AppRefusal(const account::Account& account, Refusal refusal) {
  refusal.found = base::StrCat(
      refusal.code == kUnknownApp
          ? base::StrCat("Meta does not know app_id ", account.app_id, " with this app secret")
          : base::StrCat("Meta does not know this app secret, or it is not that of app_id ", account.app_id),
      ": ", refusal.found);
  refusal.advice =
      "copy both from one and the same app's page, Settings > Basic: App ID into app_id, App secret into "
      "app_secret_file; webhooks signed with another secret are refused";
  return refusal;
}

}  // namespace

const Grant* TokenFacts::Find(std::string_view scope) const {
  if (!grants) return nullptr;
  const auto found = std::ranges::find(*grants, scope, &Grant::scope);
  return found == grants->end() ? nullptr : &*found;
}

std::optional<Answer> AskForToken(const account::Account& account, const SendAndWait& send,
                                  std::optional<Refusal>* of_app) {
  if (account::IsInstagramLogin(account)) return std::nullopt;
  // Reveal: the token that is asked about; Meta takes it in the query alone.
  const std::string question = base::StrCat("debug_token?input_token=", PercentEncoded(account.access_token.Reveal()));
  std::optional<Refusal> app_refusal;
  // Two secrets while one is changed for the other: Meta need not know both any more.
  for (std::size_t i = 0; i < account.app_secrets.size() && !account.app_id.empty(); ++i) {
    // Reveal: an app's token is its id and its secret (channels.md 4.1).
    const std::string app_token = base::StrCat(account.app_id, "|", account.app_secrets[i].Reveal());
    Answer answer = AskAs(app_token, account, "GET", question, send);
    // A refusal speaks of the app or its secret, not of the account's token.
    const bool is_final = answer.ok || answer.refusal.trouble == Trouble::kUnreachable;
    if (is_final) return answer;
    app_refusal.reset();
    if (!IsOfApp(answer.refusal)) break;
    app_refusal = AppRefusal(account, std::move(answer.refusal));
  }
  if (of_app != nullptr) *of_app = std::move(app_refusal);
  return Ask(account, "GET", question, send);
}

std::optional<TokenFacts> ReadTokenFacts(std::string_view body) {
  const absl::StatusOr<json::Document> document = json::Document::Parse(body);
  const json::Value data = document.ok() ? document->root().Find("data") : json::Value();
  const std::optional<bool> is_valid = data.Find("is_valid").AsBoolLenient();
  if (!is_valid) return std::nullopt;
  TokenFacts facts;
  facts.is_valid = *is_valid;
  facts.app_id = data.Find("app_id").AsStringOrNumber().value_or("");
  facts.expires_at_s = data.Find("expires_at").AsInt64Lenient().value_or(0);
  facts.data_access_expires_at_s = data.Find("data_access_expires_at").AsInt64Lenient().value_or(0);
  facts.grants = ReadGrants(data);
  return facts;
}

}  // namespace graph
