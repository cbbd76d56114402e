#include "libs/graph/question.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "libs/account/login.h"
#include "libs/base/clock.h"
#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/channel/graph_error.h"
#include "libs/graph/permissions.h"
#include "libs/json/value.h"

namespace graph {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);
constexpr std::size_t kMessageBytesMax = 200;
constexpr std::string_view kWhiteSpace = " \t\r\n";

constexpr std::array<std::string_view, static_cast<std::size_t>(Trouble::kCount)> kTroubles = {
    "unreachable", "token", "permission", "unknown_id", "limited", "other"};

Trouble TroubleOf(std::int64_t code, int http_status) {
  if (http_status == 429) return Trouble::kLimited;
  switch (channel::ClassOfGraphError(code)) {
    case channel::GraphErrorClass::kToken:
      return Trouble::kToken;
    case channel::GraphErrorClass::kPermission:
      return Trouble::kPermission;
    case channel::GraphErrorClass::kUnknownId:
      return Trouble::kUnknownId;
    case channel::GraphErrorClass::kRate:
      return Trouble::kLimited;
    default:
      return Trouble::kOther;
  }
}

// Neither login's host knows the tokens of the other, and says so as of a dead one.
std::string OtherLogin(const account::Account& account) {
  if (account.channel != mesh::bus::v1::CHANNEL_INSTAGRAM) return "";
  return account::IsInstagramLogin(account)
             ? "; if it is a page's (EAA...), the account wants `login: facebook`, for here it is `instagram`"
             : "; if it is one of Instagram Login (IGAA...), the account wants `login: instagram`";
}

std::string AdviceFor(Trouble trouble, const account::Account& account) {
  switch (trouble) {
    case Trouble::kUnreachable:
      return "can this machine reach the Graph API (proxy, firewall, DNS)?";
    case Trouble::kToken:
      return base::StrCat(
          "the access token is dead: create a new one and write it to access_token_file; parked replies are sent then",
          OtherLogin(account));
    case Trouble::kPermission:
      return base::StrCat("the token lacks a permission; it needs ", PermissionNames(account),
                          ": create one that has them, see docs/meta-app.md");
    case Trouble::kUnknownId:
      return "account_id is not an id that this token may use: WhatsApp wants the phone number id, not the number or "
             "the WABA; Instagram the professional account's id, see docs/meta-app.md";
    case Trouble::kLimited:
      return "calls are limited at the moment: try again later";
    default:
      return "is graph_base_url the one of this login (graph.facebook.com, or graph.instagram.com for Instagram "
             "Login), and graph_version alive?";
  }
}

void Hide(std::string_view secret, std::string& words) {
  constexpr std::string_view kHidden = "***";
  // Meta repeats a token without the newline that a file has left behind it.
  const std::size_t begin = std::min(secret.find_first_not_of(kWhiteSpace), secret.size());
  secret = secret.substr(begin, secret.find_last_not_of(kWhiteSpace) + 1 - begin);
  if (secret.empty()) return;
  for (std::size_t at = words.find(secret); at != std::string::npos; at = words.find(secret, at + kHidden.size())) {
    words.replace(at, secret.size(), kHidden);
  }
}

// Meta's words, which may repeat what it was asked with: "Malformed access token EAA...". Cut last, for half a secret
// is not found any more.
std::string WithoutSecrets(std::string words, std::string_view token, const account::Account& account) {
  Hide(token, words);
  Hide(account.access_token.Reveal(), words);                                             // Reveal: to be hidden
  for (const crypto::Secret& secret : account.app_secrets) Hide(secret.Reveal(), words);  // Reveal: to be hidden
  return words.substr(0, kMessageBytesMax);
}

// Meta's words, and what they mean for an account that only wants to know about itself.
Refusal RefusalOf(const http::Response& response, std::string_view token, const account::Account& account) {
  const absl::StatusOr<json::Document> document = json::Document::Parse(response.body);
  const json::Value error = document.ok() ? document->root().Find("error") : json::Value();
  const std::int64_t code = error.Find("code").AsInt64Lenient().value_or(-1);
  Refusal refusal{.trouble = TroubleOf(code, response.status),
                  .found = base::StrCat("the Graph API answers ", response.status),
                  .advice = {},
                  .code = code};
  if (code >= 0) {
    refusal.found +=
        base::StrCat(", code ", code, ": ",
                     WithoutSecrets(std::string(error.Find("message").AsString().value_or("")), token, account));
  }
  refusal.advice = AdviceFor(refusal.trouble, account);
  return refusal;
}

}  // namespace

std::string_view ToString(Trouble trouble) { return kTroubles[static_cast<std::size_t>(trouble)]; }

Answer Ask(const account::Account& account, std::string_view method, std::string_view path, const SendAndWait& send) {
  return AskAs(account.access_token.Reveal(), account, method, path, send);  // Reveal: to the Graph API
}

Answer AskAs(std::string_view token, const account::Account& account, std::string_view method, std::string_view path,
             const SendAndWait& send) {
  http::ClientRequest request;
  request.method = std::string(method);
  request.url = base::StrCat(account.graph_base_url, "/", account.graph_version, "/", path);
  request.headers = {{"Authorization", base::StrCat("Bearer ", token)}};
  request.response_bytes_max = kAnswerBytesMax;
  request.deadline = base::Clock::Real().Now() + kPatience;
  http::ClientResult result = send(std::move(request));
  Answer answer;
  if (!result.ok) {
    answer.refusal = {
        .trouble = Trouble::kUnreachable,
        .found = base::StrCat(account.graph_base_url, " does not answer: ", result.failure.status.message()),
        .advice = AdviceFor(Trouble::kUnreachable, account),
        .code = -1};
  } else if (result.response.status != 200) {
    answer.refusal = RefusalOf(result.response, token, account);
  } else {
    answer.ok = true;
    answer.body = std::move(result.response.body);
  }
  return answer;
}

std::string PercentEncoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) encoded += base::StrCat("%", base::ToHex(std::string_view(&c, 1)));
  return encoded;
}

}  // namespace graph
