#include "services/meshctl/account_checks.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "libs/account/login.h"
#include "libs/base/clock.h"
#include "libs/base/str_cat.h"
#include "libs/channel/codec.h"
#include "libs/graph/account_facts.h"
#include "libs/graph/permissions.h"
#include "libs/graph/question.h"
#include "libs/graph/subscription.h"
#include "libs/graph/token_facts.h"
#include "libs/identity/identity.h"
#include "services/meshctl/connections.h"

namespace meshctl {
namespace {

using mesh::bus::v1::Channel;
using Verdict = Finding::Verdict;

constexpr auto kPatience = std::chrono::seconds(10);
constexpr std::int64_t kDayS = 24 * 60 * 60;
constexpr std::int64_t kSoonS = 7 * kDayS;
constexpr std::int64_t kInstagramTokenOldDays = 50;  // of 60; the alert's is the same
constexpr std::int64_t kInstagramTokenDays = 60;
constexpr std::string_view kTokenDebugger = "developers.facebook.com/tools/debug/accesstoken";
constexpr std::string_view kChallenge = "1158201444";

Finding Judged(Verdict verdict, Finding finding, std::string found, std::string advice) {
  finding.verdict = verdict;
  finding.found = std::move(found);
  finding.advice = std::move(advice);
  return finding;
}
Finding Wrong(Finding finding, std::string found, std::string advice) {
  return Judged(Verdict::kWrong, std::move(finding), std::move(found), std::move(advice));
}
Finding Warning(Finding finding, std::string found, std::string advice) {
  return Judged(Verdict::kWarning, std::move(finding), std::move(found), std::move(advice));
}
Finding NotChecked(Finding finding, std::string found, std::string advice) {
  return Judged(Verdict::kNotChecked, std::move(finding), std::move(found), std::move(advice));
}
Finding Refused(Finding finding, const graph::Refusal& refusal) {
  return Wrong(std::move(finding), refusal.found, refusal.advice);
}

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

// What no access token of Meta's has, in words; empty: it looks like one.
std::string OddityOf(const account::Account& account) {
  const std::string_view token = account.access_token.Reveal();  // Reveal: only its shape is looked at
  if (token.starts_with("Bearer ") || token.starts_with("bearer "))
    return "begins with 'Bearer ', which is no part of it";
  if (token.find_first_of("\"'`") != std::string_view::npos) return "has quotes";
  if (token.find_first_of(" \t\r\n") != std::string_view::npos) return "has white space";
  if (token.find('|') != std::string_view::npos) return "has a |: it is an app's token, not that of the account";
  // Tokens of Instagram Login begin so, those of the other logins with EAA (verify).
  if (token.starts_with("IGAA") && !account::IsInstagramLogin(account)) {
    return account.channel == mesh::bus::v1::CHANNEL_INSTAGRAM
               ? "is one of Instagram Login (IGAA...): such an account says `login: instagram`"
               : "is one of Instagram Login (IGAA...), which this channel does not know";
  }
  return "";
}

Finding CheckSecrets(const account::Account& account) {
  constexpr std::size_t kAppSecretDigits = 32, kVerifyTokenMin = 8;
  Finding finding{.check = "secrets",
                  .found = base::StrCat(account.app_secrets.size(), " app secret(s), verify token, access token")};
  const auto wrong = [&](std::string found, std::string advice) {
    return Wrong(finding, std::move(found), std::move(advice));
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
  const std::string odd = account.development ? "" : OddityOf(account);
  if (!odd.empty()) {
    return wrong(
        base::StrCat("the access token ", odd),
        "write the token alone into access_token_file, on one line, as Meta's page shows it: docs/meta-app.md");
  }
  return finding;
}

// What to do about a gateway that gave no answer.
std::string_view AdviceOn(http::FailureKind kind) {
  switch (kind) {
    case http::FailureKind::kResolve:
      return "its name is not known here: is --gateway-url spelt as its DNS record is, and does this machine see it?";
    case http::FailureKind::kCertificate:
      return "Meta refuses such a certificate as well: one of a public authority, with its chain, for that name "
             "(docs/meta-app.md, 3)";
    case http::FailureKind::kTls:
      return "does TLS end at that port? The gateway itself speaks http alone (docs/meta-app.md, 3)";
    case http::FailureKind::kBroken:
    case http::FailureKind::kStalled:
    case http::FailureKind::kDeadline:
      return "something is in the way, or the gateway hangs: firewall, proxy; see the gateway's /readyz";
    case http::FailureKind::kConnect:
    case http::FailureKind::kOther:
      break;
  }
  return "start the gateway, or name it with --gateway-url";
}

Finding Unreachable(Finding finding, std::string_view url, const http::ClientResult& result) {
  const http::ClientFailure& failure = result.failure;
  return Wrong(std::move(finding), base::StrCat(url, " does not answer: ", failure.status.message()),
               std::string(AdviceOn(failure.kind)));
}

Finding CheckHandshake(const account::Account& account, const std::string& webhook_url, const SendAndWait& send) {
  Finding finding{.check = "handshake", .found = "the gateway knows the verify token"};
  const http::ClientResult result = send(
      Request("GET", base::StrCat(webhook_url, "?hub.mode=subscribe&hub.challenge=", kChallenge, "&hub.verify_token=",
                                  graph::PercentEncoded(account.verify_token.Reveal()))));  // Reveal: what Meta sends
  if (result.ok && result.response.status == 200 && result.response.body == kChallenge) return finding;
  if (!result.ok) return Unreachable(std::move(finding), webhook_url, result);
  if (result.response.status == 403) {
    return Wrong(
        std::move(finding), "the gateway refuses the verify token (403)",
        "give the gateway this accounts file, or wait a second for its reload; see its log for accounts_reload_failed");
  }
  return Wrong(std::move(finding),
               base::StrCat("the answer is ", result.response.status, ", not 200 with the challenge"),
               "is --gateway-url a gateway, and does a proxy in front of it change the query?");
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
    if (!result.ok) return Unreachable(std::move(finding), webhook_url, result);
    if (result.response.status == 401 || result.response.status == 403) {
      return Wrong(std::move(finding),
                   base::StrCat("a webhook signed with the app secret is refused (", result.response.status, ")"),
                   "give the gateway this accounts file; a proxy in front must pass body and headers on byte for byte");
    }
    return Wrong(std::move(finding), base::StrCat("a signed webhook is answered with ", result.response.status),
                 "see the gateway's /readyz: without its log it takes nothing");
  }
  return finding;
}

// What the Graph API tells of an account, asked once for all checks of it.
struct Told {
  graph::Answer account;
  graph::AccountFacts facts;
  std::optional<graph::TokenFacts> token_facts;  // nullopt: not told, or of Instagram Login, which tells none
  std::optional<graph::Refusal> app_refusal;     // Meta does not know the app by its secret
};

Told AskAbout(const account::Account& account, const SendAndWait& send) {
  Told told;
  std::size_t question = 0;
  told.account = graph::AskForAccount(account, send, &question);
  if (told.account.ok) told.facts = graph::ReadAccountFacts(account, told.account.body);
  const graph::Trouble trouble = told.account.refusal.trouble;
  const bool is_dead = !told.account.ok && trouble == graph::Trouble::kToken;
  // Of a dead token nothing more is to be learnt, of the app that asks about it is.
  const bool is_vain =
      (!told.account.ok && trouble == graph::Trouble::kUnreachable) || (is_dead && account.app_id.empty());
  if (is_vain) return told;
  const std::optional<graph::Answer> token = graph::AskForToken(account, send, &told.app_refusal);
  if (token && token->ok && !is_dead) told.token_facts = graph::ReadTokenFacts(token->body);
  return told;
}

// Whose id a permission's targets must hold; empty: not known.
std::string TargetOf(const account::Account& account, std::string_view permission, const std::string& waba) {
  if (account.channel == mesh::bus::v1::CHANNEL_WHATSAPP) return waba.empty() ? account.waba_id : waba;
  const bool is_of_page = permission.starts_with("pages_");
  if (is_of_page && account.channel != mesh::bus::v1::CHANNEL_MESSENGER) return "";
  return account.account_id;
}

// Whether the token has `permission` for this account, as far as Meta tells. REQUIRES: told.token_facts
bool IsGranted(const account::Account& account, std::string_view permission, const std::string& waba,
               const Told& told) {
  const graph::Grant* grant = told.token_facts->Find(permission);
  const std::string target = TargetOf(account, permission, waba);
  return grant != nullptr && (target.empty() || grant->targets.empty() ||
                              std::ranges::find(grant->targets, target) != grant->targets.end());
}

// What explains that Meta refuses a question while answers are sent: the token has all that they need, and not this.
const graph::Permission* MissingButOptional(const account::Account& account, const std::string& waba,
                                            const Told& told) {
  if (!told.token_facts || !told.token_facts->grants) return nullptr;
  const graph::Permission* optional = nullptr;
  for (const graph::Permission& permission : graph::Permissions(account)) {
    if (IsGranted(account, permission.name, waba, told)) continue;
    if (permission.is_required) return nullptr;
    optional = &permission;
  }
  return optional;
}

// Why nothing more is known of the account, where that is known: a cause is not to be looked for twice.
std::optional<std::string> CauseOf(const Told& told) {
  if (told.account.ok) return std::nullopt;
  if (told.account.refusal.trouble == graph::Trouble::kToken) return "the token is dead: see token";
  if (told.account.refusal.trouble == graph::Trouble::kUnreachable) return "the Graph API does not answer: see token";
  return std::nullopt;
}

Finding CheckToken(const account::Account& account, const std::string& waba, const Told& told) {
  Finding finding{.check = "token", .found = "the Graph API knows the account by this token"};
  const graph::Refusal& refusal = told.account.refusal;
  if (!told.account.ok && refusal.trouble == graph::Trouble::kPermission) {
    const graph::Permission* missing = MissingButOptional(account, waba, told);
    if (missing != nullptr) {
      return Warning(std::move(finding),
                     base::StrCat(refusal.found, "; answers are sent without ", missing->name, ", which it lacks"),
                     refusal.advice);
    }
  }
  if (!told.account.ok) return Refused(std::move(finding), refusal);
  if (told.facts.id != account.account_id) {
    return Wrong(std::move(finding), base::StrCat("the Graph API answers with id '", told.facts.id.substr(0, 64), "'"),
                 "write that id into the accounts file as account_id if the account is the right one");
  }
  const std::string of_token = told.token_facts ? told.token_facts->app_id : "";
  if (!of_token.empty() && !account.app_id.empty() && of_token != account.app_id) {
    return Warning(std::move(finding), base::StrCat("the token is of app ", of_token, ", app_id is ", account.app_id),
                   "take a token of the app whose webhooks these are, or correct app_id");
  }
  return finding;
}

Finding CheckPermissions(const account::Account& account, const std::string& waba, const Told& told) {
  Finding finding{.check = "permissions", .found = base::StrCat("the token has ", graph::PermissionNames(account))};
  const std::string needs = base::StrCat("it needs ", graph::PermissionNames(account));
  if (account::IsInstagramLogin(account)) {
    return NotChecked(std::move(finding), "Instagram tells nothing of a token's permissions",
                      base::StrCat(needs, ": a refusal with 10 or 200 to 299 says that one is missing"));
  }
  if (const auto cause = CauseOf(told)) return NotChecked(std::move(finding), *cause, needs);
  if (!told.token_facts || !told.token_facts->grants) {
    return NotChecked(std::move(finding), "Meta does not tell the token's permissions",
                      base::StrCat(needs, ": write app_id into the accounts file, or see ", kTokenDebugger));
  }
  for (const bool is_required : {true, false}) {
    for (const graph::Permission& permission : graph::Permissions(account)) {
      if (permission.is_required != is_required || told.token_facts->Find(permission.name) != nullptr) continue;
      return Judged(is_required ? Verdict::kWrong : Verdict::kWarning, std::move(finding),
                    base::StrCat("the token lacks ", permission.name, ": ", permission.without),
                    base::StrCat(needs, ": create one that has them, see docs/meta-app.md"));
    }
  }
  for (const graph::Permission& permission : graph::Permissions(account)) {
    if (IsGranted(account, permission.name, waba, told)) continue;
    const std::string other = told.token_facts->Find(permission.name)->targets[0].substr(0, 64);
    return Warning(
        std::move(finding),
        base::StrCat(permission.name, " was given for ", other, ", not for ", TargetOf(account, permission.name, waba)),
        "choose this account too where the permission is given");
  }
  return finding;
}

// How near the end of `what` is, in words; nullopt: not near.
std::optional<std::string> NearItsEnd(std::string_view what, std::int64_t ends_at_s, std::int64_t now_s) {
  if (ends_at_s == 0 || ends_at_s - now_s >= kSoonS) return std::nullopt;
  if (ends_at_s <= now_s) return base::StrCat(what, " has ended");
  return base::StrCat(what, " ends in ", (ends_at_s - now_s) / kDayS, " days");
}

Finding CheckExpiry(const account::Account& account, const base::Clock& clock, const Told& told) {
  Finding finding{.check = "expiry", .found = "the token does not end within 7 days"};
  const std::int64_t now_s = clock.WallMs() / 1000;
  if (account::IsInstagramLogin(account)) {
    if (account.access_token_written_s == 0) {
      return NotChecked(std::move(finding), "Instagram does not tell when a token ends",
                        "refresh it within its 60 days: docs/meta-app.md");
    }
    const std::int64_t age_days = (now_s - account.access_token_written_s) / kDayS;
    finding.found = base::StrCat("access_token_file was written ", age_days, " days ago; its token lives 60 days");
    if (age_days < kInstagramTokenOldDays) return finding;
    if (age_days >= kInstagramTokenDays && told.account.ok) {
      return Warning(finding, base::StrCat(finding.found, ", and it is still alive"),
                     "refresh it at once (docs/meta-app.md); once it has ended, somebody has to log in again");
    }
    if (age_days >= kInstagramTokenDays) {
      return Wrong(finding, base::StrCat(finding.found, ": it has ended"),
                   "log in again: nothing revives a token that has ended (docs/meta-app.md)");
    }
    return Warning(finding, finding.found, "refresh it and write the new one: docs/meta-app.md");
  }
  if (const auto cause = CauseOf(told)) return NotChecked(std::move(finding), *cause, "");
  if (!told.token_facts) {
    return NotChecked(std::move(finding), "Meta does not tell when the token ends",
                      base::StrCat("write app_id into the accounts file, or see ", kTokenDebugger));
  }
  const graph::TokenFacts& facts = *told.token_facts;
  if (auto near = NearItsEnd("the token", facts.expires_at_s, now_s)) {
    return Judged(facts.expires_at_s <= now_s ? Verdict::kWrong : Verdict::kWarning, std::move(finding),
                  *std::move(near), "create a new one, or better one that does not end: docs/meta-app.md");
  }
  // No more than a warning when it is over: answers are sent without it (verify).
  if (auto near = NearItsEnd("the token's access to user data", facts.data_access_expires_at_s, now_s)) {
    return Warning(std::move(finding), *std::move(near), "the person who gave the permissions has to give them again");
  }
  if (facts.expires_at_s == 0) finding.found = "the token does not end";
  return finding;
}

Finding CheckNumber(const account::Account& account, const Told& told) {
  Finding finding{.check = "number", .found = ""};
  const auto [state, quality] = std::pair(told.facts.state, told.facts.quality);
  if (const auto cause = CauseOf(told)) return NotChecked(std::move(finding), *cause, "");
  if (!state && !quality) {
    return NotChecked(std::move(finding), "Meta tells neither state nor quality",
                      "whatsapp_business_management is the permission for it");
  }
  finding.found = base::StrCat("state ", ToString(state.value_or(graph::NumberState::kUnknown)), ", quality ",
                               ToString(quality.value_or(graph::Quality::kUnknown)));
  const std::string how = base::StrCat("POST /", account.account_id, "/register, see docs/meta-app.md");
  if (!told.facts.is_registered) {
    return Wrong(std::move(finding), base::StrCat(finding.found, ": not registered, so it neither sends nor receives"),
                 base::StrCat("register the number (docs/meta-app.md): verify it in WhatsApp Manager, then ", how));
  }
  if (state == graph::NumberState::kDisconnected) {
    return Wrong(std::move(finding), base::StrCat(finding.found, ": it neither sends nor receives"),
                 base::StrCat("register the number again: ", how,
                              "; one that was moved to another WABA has another phone number id"));
  }
  constexpr std::string_view kWhy = "WhatsApp Manager > Account quality says why, and how to appeal";
  if (state == graph::NumberState::kBanned || state == graph::NumberState::kRestricted) {
    return Wrong(std::move(finding), base::StrCat(finding.found, ": Meta keeps it from sending"), std::string(kWhy));
  }
  if (state == graph::NumberState::kLimited) return Warning(finding, finding.found, std::string(kWhy));
  if (state == graph::NumberState::kFlagged || quality == graph::Quality::kYellow || quality == graph::Quality::kRed) {
    return Warning(finding, finding.found, "users block or report what it sends; its messaging limit falls next");
  }
  return finding;
}

std::string Joined(const std::vector<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) {
    joined += base::StrCat(joined.empty() ? "" : ", ", name.empty() ? "without an id" : name.substr(0, 64));
  }
  return joined;
}

Finding CheckSubscription(const account::Account& account, const std::string& waba, const Told& told,
                          const SendAndWait& send) {
  Finding finding{.check = "subscription", .found = "our app is subscribed to the account's webhooks"};
  const std::string node = graph::SubscriptionNode(account, waba);
  if (node.empty()) {
    return NotChecked(std::move(finding), "the subscription belongs to the WhatsApp Business Account",
                      "name it with --waba=ID, or as waba_id in the accounts file");
  }
  if (const auto cause = CauseOf(told)) return NotChecked(std::move(finding), *cause, "");
  graph::Answer answer = graph::Ask(account, "GET", base::StrCat(node, "/subscribed_apps"), send);
  // Another permission than that for answers, so this says nothing of them, nor of the subscription.
  if (!answer.ok && answer.refusal.trouble == graph::Trouble::kPermission) {
    return NotChecked(std::move(finding), answer.refusal.found, answer.refusal.advice);
  }
  // The account's own id is the business of `token`; here the WABA's is asked.
  if (answer.refusal.trouble == graph::Trouble::kUnknownId && account.channel == mesh::bus::v1::CHANNEL_WHATSAPP) {
    answer.refusal.advice =
        base::StrCat(waba.empty() ? "waba_id" : "--waba", "=", node,
                     " is no WhatsApp Business Account that this token may use: its id stands in WhatsApp > API Setup, "
                     "beside the phone number id");
  }
  if (!answer.ok) return Refused(std::move(finding), answer.refusal);
  const std::string app = graph::OurApp(account, told.token_facts ? told.token_facts->app_id : "");
  const graph::Subscription subscription = graph::ReadSubscription(account, app, answer.body);
  if (subscription.is_whole()) {
    if (!app.empty()) return finding;
    // Instagram lists the app of the token alone (verify), so the one that it lists is ours.
    finding.found = "an app is subscribed to the account's webhooks";
    if (account::IsInstagramLogin(account)) return finding;
    return NotChecked(
        std::move(finding),
        base::StrCat("apps are subscribed (", Joined(subscription.apps), "), whether ours is is not known"),
        "write the app's id into the accounts file as app_id");
  }
  finding.verdict = Verdict::kWrong;
  if (subscription.has_app) {
    finding.found = base::StrCat("the app is not subscribed to the field ", subscription.missing_field);
  } else if (subscription.apps.empty()) {
    finding.found = "no app is subscribed: no webhook will come";
  } else {
    finding.found = base::StrCat("other apps are subscribed (", Joined(subscription.apps), "), ours (", app,
                                 ") is not: no webhook will come");
  }
  finding.advice = base::StrCat("POST /", graph::SubscribePath(account, node, subscription.fields),
                                ", or use the app's webhook settings");
  return finding;
}

}  // namespace

std::vector<Finding> CheckAccount(const account::Account& account, const CheckOptions& options,
                                  const SendAndWait& send) {
  const std::string webhook_url = WebhookUrl(options.gateway_url, identity::ChannelName(account.channel));
  std::vector<Finding> findings = {CheckSecrets(account), CheckHandshake(account, webhook_url, send),
                                   CheckSignature(account, webhook_url, send)};
  const Told told = AskAbout(account, send);
  // The shape of a secret says more, where it is wrong.
  if (Finding& secrets = findings.front(); told.app_refusal && secrets.verdict == Verdict::kGood) {
    secrets = Refused(std::move(secrets), *told.app_refusal);
  }
  findings.push_back(CheckToken(account, options.waba, told));
  findings.push_back(CheckPermissions(account, options.waba, told));
  findings.push_back(CheckExpiry(account, *options.clock, told));
  if (account.channel == mesh::bus::v1::CHANNEL_WHATSAPP) findings.push_back(CheckNumber(account, told));
  findings.push_back(CheckSubscription(account, options.waba, told, send));
  return findings;
}

}  // namespace meshctl
