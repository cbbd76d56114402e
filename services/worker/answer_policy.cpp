#include "services/worker/answer_policy.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "libs/channel/whatsapp_user_id.h"
#include "services/worker/calling_codes.h"
#include "services/worker/disclosure.h"

namespace worker {
namespace {

using mesh::bus::v1::Turn;
using mesh::session::v1::LoadContextResponse;

constexpr std::int64_t kSaidAgainAfterMs = std::int64_t{24} * 3'600'000;  // the platforms' window of a conversation

Ruling Drop(DropReason reason, std::string text = "") { return {.text = std::move(text), .drops = reason}; }

// The account's text, or without one the drop that the change comes to.
Ruling SayOr(const std::string& text, DropReason reason) {
  return text.empty() ? Drop(reason) : Ruling{.text = text, .drops = std::nullopt};
}

std::optional<Ruling> RuleOnWord(const account::Account& account, const Turn& turn, const LoadContextResponse& loaded) {
  switch (turn.control()) {
    case mesh::bus::v1::CONTROL_ACTION_OPT_OUT:
      return SayOr(account.opt_out_text, DropReason::kOptedOut);
    case mesh::bus::v1::CONTROL_ACTION_OPT_IN:
      if (!loaded.opted_out()) return std::nullopt;
      return SayOr(account.opt_in_text, DropReason::kOptedOut);
    case mesh::bus::v1::CONTROL_ACTION_PAUSE:
      if (loaded.opted_out()) return std::nullopt;
      return SayOr(account.handoff_text, DropReason::kHandoff);
    case mesh::bus::v1::CONTROL_ACTION_RESUME:
      if (loaded.opted_out() || !loaded.paused()) return std::nullopt;
      return SayOr(account.return_text, DropReason::kHandoff);
    default:
      return std::nullopt;
  }
}

// Whether the last thing that was said to the user is `text`, and not long ago.
bool IsLastSaid(const account::Account& account, std::string_view text, const Turn& turn,
                const LoadContextResponse& loaded) {
  for (int i = loaded.history_size() - 1; i >= 0; --i) {
    const mesh::session::v1::HistoryTurn& past = loaded.history(i);
    if (past.reply_text().empty()) continue;
    return WithoutDisclosure(account, past.reply_text()) == text &&
           turn.accepted_at_ms() - past.accepted_at_ms() < kSaidAgainAfterMs;
  }
  return false;
}

}  // namespace

std::optional<Ruling> RuleOn(const account::Account& account, const Turn& turn, const LoadContextResponse& loaded) {
  if (IsCountryOff(account, turn.conversation())) return Drop(DropReason::kCountry, account.country_off_text);
  if (std::optional<Ruling> ruling = RuleOnWord(account, turn, loaded)) return ruling;
  if (loaded.opted_out()) return Drop(DropReason::kOptedOut);
  if (loaded.paused()) return Drop(DropReason::kHandoff);
  if (!turn.unreadable()) return std::nullopt;
  const bool is_said = IsLastSaid(account, account.unreadable_text, turn, loaded);
  return SayOr(is_said ? "" : account.unreadable_text, DropReason::kUnreadable);
}

bool IsCountryOff(const account::Account& account, const mesh::bus::v1::ConversationId& conversation) {
  if (conversation.channel() != mesh::bus::v1::CHANNEL_WHATSAPP) return false;
  const auto is_off = [&account](std::string_view number) {
    return std::any_of(account.country_prefixes_off.begin(), account.country_prefixes_off.end(),
                       [number](const std::string& prefix) { return number.starts_with(prefix); });
  };
  const channel::whatsapp::UserId user = channel::whatsapp::ReadUserId(conversation.user());
  if (!user.number.empty()) return is_off(user.number);
  std::string_view codes = CallingCodesOf(user.country);
  while (!codes.empty()) {
    const std::size_t end = std::min(codes.find(' '), codes.size());
    if (is_off(codes.substr(0, end))) return true;
    codes.remove_prefix(std::min(end + 1, codes.size()));
  }
  return false;
}

}  // namespace worker
