#include "services/meshctl/account_checks.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "libs/base/clock.h"
#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/identity/identity.h"
#include "libs/json/value.h"

namespace meshctl {
namespace {

using mesh::bus::v1::Channel;
using Verdict = Finding::Verdict;

constexpr auto kPatience = std::chrono::seconds(10);
constexpr std::string_view kChallenge = "1158201444";

http::ClientRequest Request(std::string method, std::string url) {
  http::ClientRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.deadline = base::Clock::Real().Now() + kPatience;
  return request;
}

std::string PercentEncoded(std::string_view text) {
  std::string encoded;
  for (const char c : text) encoded += base::StrCat("%", base::ToHex(std::string_view(&c, 1)));
  return encoded;
}

std::string_view ObjectOf(Channel channel) {
  if (channel == mesh::bus::v1::CHANNEL_WHATSAPP) return "whatsapp_business_account";
  return channel == mesh::bus::v1::CHANNEL_MESSENGER ? "page" : "instagram";
}

Finding CheckSecrets(const account::Account& account) {
  constexpr std::size_t kAppSecretDigits = 32, kVerifyTokenMin = 8;
  Finding finding{.check = "secrets",
                  .found = base::StrCat(account.app_secrets.size(), " app secret(s), verify token, access token")};
  const auto wrong = [&](std::string found, std::string advice) {
    finding.verdict = Verdict::kWrong;
    finding.found = std::move(found);
    finding.advice = std::move(advice);
    return finding;
  };
  for (const crypto::Secret& secret : account.app_secrets) {
    const std::string_view digits = secret.Reveal();  // Reveal: only its shape is looked at
    const bool is_hex = digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (!account.development && (digits.size() != kAppSecretDigits || !is_hex)) {
      return wrong(base::StrCat("an app secret of ", digits.size(), " characters that is not 32 hex digits"),
                   "copy it from the app's page, Settings > Basic > App secret (an Instagram app has one of its own), "
                   "without quotes or spaces");
    }
  }
  if (account.verify_token.Reveal().size() < kVerifyTokenMin) {  // Reveal: its length
    return wrong("a verify token of fewer than 8 characters",
                 "choose a long random one, and write the same into the app's webhook settings");
  }
  if (account.access_token.empty())
    return wrong("no access token", "create one for a system user (WhatsApp) or the page, see docs/meta-app.md");
  return finding;
}

// What went wrong on the way to an answer.
std::string Unreachable(std::string_view url, const http::ClientResult& result) {
  return base::StrCat(url, " does not answer: ", result.failure.status.message());
}

Finding CheckHandshake(const account::Account& account, const std::string& webhook_url, const SendAndWait& send) {
  Finding finding{.check = "handshake", .found = "the gateway knows the verify token"};
  const http::ClientResult result = send(
      Request("GET", base::StrCat(webhook_url, "?hub.mode=subscribe&hub.challenge=", kChallenge, "&hub.verify_token=",
                                  PercentEncoded(account.verify_token.Reveal()))));  // Reveal: what Meta sends
  if (result.ok && result.response.status == 200 && result.response.body == kChallenge) return finding;
  finding.verdict = Verdict::kWrong;
  if (!result.ok) {
    finding.found = Unreachable(webhook_url, result);
    finding.advice = "start the gateway, or name it with --gateway-url";
  } else if (result.response.status == 403) {
    finding.found = "the gateway refuses the verify token (403)";
    finding.advice =
        "give the gateway this accounts file, or wait a second for its reload; see its log for accounts_reload_failed";
  } else {
    finding.found = base::StrCat("the answer is ", result.response.status, ", not 200 with the challenge");
    finding.advice = "is --gateway-url a gateway, and does a proxy in front of it change the query?";
  }
  return finding;
}

Finding CheckSignature(const account::Account& account, const std::string& webhook_url, const SendAndWait& send) {
  Finding finding{.check = "signature", .found = "the gateway accepts webhooks signed with the app secret"};
  for (const crypto::Secret& secret : account.app_secrets) {
    http::ClientRequest request = Request("POST", webhook_url);
    request.body = base::StrCat(R"({"object":")", ObjectOf(account.channel), R"(","entry":[]})");
    request.headers = {{"Content-Type", "application/json"},
                       {"X-Hub-Signature-256", channel::SignatureFor(request.body, secret)}};
    const http::ClientResult result = send(std::move(request));
    if (result.ok && result.response.status == 200) continue;
    finding.verdict = Verdict::kWrong;
    if (!result.ok) {
      finding.found = Unreachable(webhook_url, result);
      finding.advice = "start the gateway, or name it with --gateway-url";
    } else if (result.response.status == 401 || result.response.status == 403) {
      finding.found = base::StrCat("a webhook signed with the app secret is refused (", result.response.status, ")");
      finding.advice =
          "give the gateway this accounts file; a proxy in front must pass body and headers on byte for byte";
    } else {
      finding.found = base::StrCat("a signed webhook is answered with ", result.response.status);
      finding.advice = "see the gateway's /readyz: without its log it takes nothing";
    }
    return finding;
  }
  return finding;
}

// Meta's words, and what they mean for an account that only wants to read about itself (channels.md 3.2).
void Explain(const http::Response& response, Finding& finding) {
  finding.verdict = Verdict::kWrong;
  const absl::StatusOr<json::Document> document = json::Document::Parse(response.body);
  const json::Value error = document.ok() ? document->root().Find("error") : json::Value();
  const std::int64_t code = error.Find("code").AsInt64Lenient().value_or(-1);
  finding.found = base::StrCat("the Graph API answers ", response.status);
  if (code >= 0)
    finding.found += base::StrCat(", code ", code, ": ", error.Find("message").AsString().value_or("").substr(0, 200));
  if (code == 190 || code == 0 || (code >= 458 && code <= 467)) {
    finding.advice =
        "the access token is dead: create a new one and write it to access_token_file; parked replies are sent then";
  } else if (code == 3 || code == 10 || (code >= 200 && code <= 299)) {
    finding.advice =
        "the token lacks a permission: whatsapp_business_messaging, pages_messaging or "
        "instagram_business_manage_messages";
  } else if (code == 100 || code == 33) {
    finding.advice =
        "account_id is not an id that this token may use: WhatsApp wants the phone number id, not the number or the "
        "WABA";
  } else if (code == 4 || code == 17 || code == 32 || code == 613 || code == 80007) {
    finding.advice = "calls are limited at the moment: try again later";
  } else {
    finding.advice =
        "is graph_base_url the one of this login (graph.facebook.com, or graph.instagram.com for Instagram Login), and "
        "graph_version alive?";
  }
}

http::ClientRequest GraphRequest(const account::Account& account, std::string_view path) {
  http::ClientRequest request =
      Request("GET", base::StrCat(account.graph_base_url, "/", account.graph_version, "/", path));
  // Reveal: the one place where a token leaves, as a header of the request it is for.
  request.headers = {{"Authorization", base::StrCat("Bearer ", account.access_token.Reveal())}};
  return request;
}

// The body of an answer of 200; nullopt: there was none, and `finding` says why.
std::optional<std::string> AskGraph(const account::Account& account, std::string_view path, const SendAndWait& send,
                                    Finding& finding) {
  http::ClientResult result = send(GraphRequest(account, path));
  if (!result.ok) {
    finding.verdict = Verdict::kWrong;
    finding.found = Unreachable(account.graph_base_url, result);
    finding.advice = "can this machine reach the Graph API (proxy, firewall, DNS)?";
    return std::nullopt;
  }
  if (result.response.status != 200) {
    Explain(result.response, finding);
    return std::nullopt;
  }
  return std::move(result.response.body);
}

Finding CheckToken(const account::Account& account, const SendAndWait& send) {
  Finding finding{.check = "token", .found = "the Graph API knows the account by this token"};
  const std::optional<std::string> body =
      AskGraph(account, base::StrCat(account.account_id, "?fields=id"), send, finding);
  if (!body) return finding;
  const absl::StatusOr<json::Document> document = json::Document::Parse(*body);
  const std::string id = document.ok() ? document->root().Find("id").AsStringOrNumber().value_or("") : "";
  if (id == account.account_id) return finding;
  finding.verdict = Verdict::kWrong;
  finding.found = base::StrCat("the Graph API answers with id '", id.substr(0, 64), "'");
  finding.advice = "write that id into the accounts file as account_id if the account is the right one";
  return finding;
}

// The fields that a page has to be subscribed to for messages to arrive.
std::string MissingField(const json::Value& subscriptions) {
  for (const std::string_view field : {"messages", "messaging_postbacks"}) {
    bool found = false;
    for (const json::Value& app : subscriptions.items()) {
      for (const json::Value& subscribed : app.Find("subscribed_fields").items()) {
        found |= subscribed.AsString() == field || subscribed.Find("name").AsString() == field;
      }
    }
    if (!found) return std::string(field);
  }
  return {};
}

Finding CheckSubscription(const account::Account& account, const std::string& waba, const SendAndWait& send) {
  Finding finding{.check = "subscription", .found = "an app is subscribed to the account's webhooks"};
  const bool is_whatsapp = account.channel == mesh::bus::v1::CHANNEL_WHATSAPP;
  if (is_whatsapp && waba.empty()) {
    finding.verdict = Verdict::kNotChecked;
    finding.found = "the subscription belongs to the WhatsApp Business Account";
    finding.advice = "name it with --waba=ID";
    return finding;
  }
  const std::string path = base::StrCat(is_whatsapp ? waba : account.account_id, "/subscribed_apps");
  const std::optional<std::string> body = AskGraph(account, path, send, finding);
  if (!body) return finding;
  const absl::StatusOr<json::Document> document = json::Document::Parse(*body);
  const json::Value subscriptions = document.ok() ? document->root().Find("data") : json::Value();
  const std::string missing = is_whatsapp || subscriptions.size() == 0 ? std::string() : MissingField(subscriptions);
  if (subscriptions.size() > 0 && missing.empty()) return finding;
  finding.verdict = Verdict::kWrong;
  finding.found = subscriptions.size() == 0 ? "no app is subscribed: no webhook will come"
                                            : base::StrCat("the app is not subscribed to the field ", missing);
  finding.advice = base::StrCat("POST /", path, is_whatsapp ? "" : "?subscribed_fields=messages,messaging_postbacks",
                                ", or use the app's webhook settings");
  return finding;
}

}  // namespace

std::vector<Finding> CheckAccount(const account::Account& account, const CheckOptions& options,
                                  const SendAndWait& send) {
  const std::string webhook_url =
      base::StrCat(options.gateway_url, "/webhooks/", identity::ChannelName(account.channel));
  std::vector<Finding> findings = {CheckSecrets(account), CheckHandshake(account, webhook_url, send),
                                   CheckSignature(account, webhook_url, send), CheckToken(account, send)};
  findings.push_back(CheckSubscription(account, options.waba, send));
  return findings;
}

}  // namespace meshctl
