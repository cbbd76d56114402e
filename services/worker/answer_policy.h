#pragma once

#include <optional>
#include <string>

#include "libs/account/account.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"
#include "services/worker/queue_policy.h"

namespace worker {

// What stands against an answer of the model, by what the account and the conversation have decided before.
struct Ruling {
  std::string text;                 // said in place of the model's answer; empty: nothing is
  std::optional<DropReason> drops;  // the turn counts as not answered, text or not
};

// In this order:
//   country   The account answers nobody with this country prefix: dropped, with `country_off_text`.
//   words     The message is one of the account's words (Turn.control, applied to the conversation by now): its text is
//             said, also while a person answers; without a text the turn is dropped. To a user who has opted out only
//             the words for that are answered. Where there is nothing to take back ("start" of a user who never opted
//             out) it is a message like any other.
//   consent   The user has opted out: dropped.
//   handoff   A person answers: dropped. Its words stay in the history, so a bot that returns knows them.
//   type      Nobody here can read the message: `unreadable_text` is said. Dropped without a text, and where that text
//             was the last thing said to the user, within a day: who sends five of them hears it once, and two bots
//             that cannot read each other do not talk for ever.
// nullopt: nothing; the model answers. `loaded` is the conversation before this turn. Pure.
//
// A worker that dies between applying a word and saying its text leaves the text to the next one. Only of a word that
// takes something back (`return_words`, `opt_in_words`) the next one cannot see any more that there was something, and
// lets the model answer it.
std::optional<Ruling> RuleOn(const account::Account& account, const mesh::bus::v1::Turn& turn,
                             const mesh::session::v1::LoadContextResponse& loaded);

// Whether the account answers nobody with this user's country prefix (WhatsApp). A number tells it by its digits, a
// business-scoped id by the two letters of a country before its first dot: there, one calling code of the country that
// is off is enough. Who tells no country is answered.
bool IsCountryOff(const account::Account& account, const mesh::bus::v1::ConversationId& conversation);

}  // namespace worker
