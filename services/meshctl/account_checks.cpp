#include "services/meshctl/account_checks.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "libs/base/clock.h"
#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/graph/account_facts.h"
#include "libs/graph/question.h"
#include "libs/graph/subscription.h"
#include "libs/identity/identity.h"

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
                                  graph::PercentEncoded(account.verify_token.Reveal()))));  // Reveal: what Meta sends
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

// The body of an answer of 200; nullopt: there was none, and `finding` says why.
std::optional<std::string> AskGraph(const account::Account& account, std::string_view path, const SendAndWait& send,
                                    Finding& finding) {
  graph::Answer answer = graph::Ask(account, "GET", path, send);
  if (answer.ok) return std::move(answer.body);
  finding.verdict = Verdict::kWrong;
  finding.found = std::move(answer.refusal.found);
  finding.advice = std::move(answer.refusal.advice);
  return std::nullopt;
}

Finding CheckToken(const account::Account& account, const SendAndWait& send) {
  Finding finding{.check = "token", .found = "the Graph API knows the account by this token"};
  const std::optional<std::string> body =
      AskGraph(account, base::StrCat(account.account_id, "?fields=id"), send, finding);
  if (!body) return finding;
  const std::string id = graph::ReadAccountFacts(*body).id;
  if (id == account.account_id) return finding;
  finding.verdict = Verdict::kWrong;
  finding.found = base::StrCat("the Graph API answers with id '", id.substr(0, 64), "'");
  finding.advice = "write that id into the accounts file as account_id if the account is the right one";
  return finding;
}

Finding CheckSubscription(const account::Account& account, const std::string& waba, const SendAndWait& send) {
  Finding finding{.check = "subscription", .found = "an app is subscribed to the account's webhooks"};
  const std::string node = graph::SubscriptionNode(account, waba);
  if (node.empty()) {
    finding.verdict = Verdict::kNotChecked;
    finding.found = "the subscription belongs to the WhatsApp Business Account";
    finding.advice = "name it with --waba=ID, or as waba_id in the accounts file";
    return finding;
  }
  const std::optional<std::string> body = AskGraph(account, base::StrCat(node, "/subscribed_apps"), send, finding);
  if (!body) return finding;
  const graph::Subscription subscription = graph::ReadSubscription(account.channel, /*app_id=*/"", *body);
  if (subscription.is_whole()) return finding;
  finding.verdict = Verdict::kWrong;
  finding.found = subscription.has_app
                      ? base::StrCat("the app is not subscribed to the field ", subscription.missing_field)
                      : "no app is subscribed: no webhook will come";
  finding.advice = base::StrCat("POST /", graph::SubscribePath(account, node, subscription.fields),
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
