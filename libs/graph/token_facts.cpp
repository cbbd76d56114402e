#include "libs/graph/token_facts.h"

#include "libs/base/str_cat.h"
#include "libs/graph/question.h"
#include "libs/json/value.h"

namespace graph {

std::optional<std::string> TokenQuestion(const account::Account& account) {
  if (account.graph_base_url == "https://graph.instagram.com") return std::nullopt;
  // Reveal: the token that is asked about; Meta takes it in the query alone.
  return base::StrCat("debug_token?input_token=", PercentEncoded(account.access_token.Reveal()));
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
  return facts;
}

}  // namespace graph
