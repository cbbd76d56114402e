#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "libs/account/account.h"
#include "libs/graph/question.h"

namespace graph {

// How users rate what a WhatsApp number sends. Values are those of the exporter's gauge.
enum class Quality { kUnknown = 0, kGreen = 1, kYellow = 2, kRed = 3 };

// What a WhatsApp number may do; from kLimited on it cannot send as it should. Values are those of the exporter's
// gauge.
enum class NumberState {
  kUnknown = 0,  // a word not seen before
  kConnected = 1,
  kFlagged = 2,  // sends, under watch
  kLimited = 3,  // RATE_LIMITED
  kRestricted = 4,
  kDisconnected = 5,  // PENDING, UNVERIFIED, MIGRATED, DISCONNECTED, DELETED
  kBanned = 6,
};

std::string_view ToString(Quality quality);    // "green"
std::string_view ToString(NumberState state);  // "connected", "rate limited"

// What an account says of itself. nullopt: it did not say.
struct AccountFacts {
  std::string id;  // as in its webhooks
  std::optional<Quality> quality;
  std::optional<NumberState> state;
  bool is_registered = true;                    // false: added to its WABA and not registered yet (PENDING, UNVERIFIED)
  std::optional<double> messaging_limit_users;  // business-initiated, a day; infinity: unlimited
};

// What to ask an account for, widest first: GET /{account id}?fields=... A Graph version that lacks a field refuses the
// whole question (Trouble::kUnknownId), so the next narrower one follows. WhatsApp alone tells more than its id:
//   quality_rating (channels.md 3.3, GREEN | YELLOW | RED | UNKNOWN), status (verify) and the portfolio's limit, which
//   was messaging_limit_tier until 2025 and is whatsapp_business_manager_messaging_limit since (verify), TIER_{n}.
// With Instagram Login it is GET /me?fields=user_id: `id` is there an id of our app's own, and user_id the one that
// webhooks carry (channels.md 4.2).
std::size_t AccountQuestions(const account::Account& account);  // how many there are, 1 at least
std::string AccountQuestion(const account::Account& account, std::size_t index);

// Asks the questions from the `*question`-th on until one is not refused for its fields, and leaves its place there for
// the next time; 0 when it was the id after all.
Answer AskForAccount(const account::Account& account, const SendAndWait& send, std::size_t* question);

// The answer of `account` to one of them. Tolerant: what is absent or of another type was not said. An unreadable body
// has no id.
AccountFacts ReadAccountFacts(const account::Account& account, std::string_view body);

}  // namespace graph
