#include "libs/graph/account_facts.h"

#include <charconv>
#include <limits>

#include "libs/account/login.h"
#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/json/value.h"

namespace graph {
namespace {

constexpr std::string_view kNumberFields[] = {"id,quality_rating,status,whatsapp_business_manager_messaging_limit",
                                              "id,quality_rating,status,messaging_limit_tier", "id,quality_rating",
                                              "id"};

Quality QualityOf(std::string_view word) {
  if (word == "GREEN") return Quality::kGreen;
  if (word == "YELLOW") return Quality::kYellow;
  return word == "RED" ? Quality::kRed : Quality::kUnknown;
}

NumberState StateOf(std::string_view word) {
  if (word == "CONNECTED") return NumberState::kConnected;
  if (word == "FLAGGED") return NumberState::kFlagged;
  if (word == "RATE_LIMITED") return NumberState::kLimited;
  if (word == "RESTRICTED") return NumberState::kRestricted;
  if (word == "BANNED") return NumberState::kBanned;
  for (const std::string_view gone : {"PENDING", "UNVERIFIED", "MIGRATED", "DISCONNECTED", "DELETED"}) {
    if (word == gone) return NumberState::kDisconnected;
  }
  return NumberState::kUnknown;
}

// "TIER_250", "TIER_1K", "TIER_UNLIMITED" or a plain number; nullopt for a limit that is not set yet.
std::optional<double> LimitOf(std::string_view word) {
  constexpr std::string_view kPrefix = "TIER_";
  if (word.starts_with(kPrefix)) word.remove_prefix(kPrefix.size());
  if (word == "UNLIMITED") return std::numeric_limits<double>::infinity();
  const double unit = word.ends_with('K') ? 1000 : 1;
  if (word.ends_with('K')) word.remove_suffix(1);
  unsigned users = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), users);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return users * unit;
}

// Meta's guide shows it in a list `data` of one, its API has been seen to answer without (verify).
std::string UserIdIn(const json::Value& root) {
  json::Value user = root;
  for (const json::Value& first : root.Find("data").items()) {
    user = first;
    break;
  }
  return user.Find("user_id").AsStringOrNumber().value_or("");
}

bool IsWhatsApp(const account::Account& account) { return account.channel == mesh::bus::v1::CHANNEL_WHATSAPP; }

}  // namespace

std::string_view ToString(Quality quality) {
  constexpr std::string_view kWords[] = {"unknown", "green", "yellow", "red"};
  return kWords[static_cast<std::size_t>(quality)];
}

std::string_view ToString(NumberState state) {
  constexpr std::string_view kWords[] = {"unknown",    "connected",    "flagged", "rate limited",
                                         "restricted", "disconnected", "banned"};
  return kWords[static_cast<std::size_t>(state)];
}

std::size_t AccountQuestions(const account::Account& account) {
  return IsWhatsApp(account) ? std::size(kNumberFields) : 1;
}

std::string AccountQuestion(const account::Account& account, std::size_t index) {
  CHECK(index < AccountQuestions(account));
  if (account::IsInstagramLogin(account)) return "me?fields=user_id";
  return base::StrCat(account.account_id, "?fields=", IsWhatsApp(account) ? kNumberFields[index] : "id");
}

Answer AskForAccount(const account::Account& account, const SendAndWait& send, std::size_t* question) {
  Answer answer = Ask(account, "GET", AccountQuestion(account, *question), send);
  // A field that this Graph version does not have is refused like an id that does not exist.
  const std::size_t questions = AccountQuestions(account);
  while (!answer.ok && answer.refusal.trouble == Trouble::kUnknownId && *question + 1 < questions) {
    answer = Ask(account, "GET", AccountQuestion(account, ++*question), send);
  }
  if (!answer.ok && answer.refusal.trouble == Trouble::kUnknownId) *question = 0;
  return answer;
}

AccountFacts ReadAccountFacts(const account::Account& account, std::string_view body) {
  AccountFacts facts;
  const absl::StatusOr<json::Document> document = json::Document::Parse(body);
  if (!document.ok()) return facts;
  const json::Value root = document->root();
  if (account::IsInstagramLogin(account)) {
    facts.id = UserIdIn(root);
    return facts;
  }
  facts.id = root.Find("id").AsStringOrNumber().value_or("");
  if (const auto quality = root.Find("quality_rating").AsString()) facts.quality = QualityOf(*quality);
  if (const auto state = root.Find("status").AsString()) {
    facts.state = StateOf(*state);
    facts.is_registered = *state != "PENDING" && *state != "UNVERIFIED";
  }
  for (const std::string_view field : {"whatsapp_business_manager_messaging_limit", "messaging_limit_tier"}) {
    if (const auto limit = root.Find(field).AsStringOrNumber()) facts.messaging_limit_users = LimitOf(*limit);
  }
  return facts;
}

}  // namespace graph
