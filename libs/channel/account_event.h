#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libs/channel/event.h"

namespace channel {

// What an item tells about the account as a whole: quality, limits, bans, templates (channels.md 2.1, 2.2). Facts are
// the channel's words, at most kFactBytesMax each, of nobody but the business itself; empty where the item has none.
struct AccountEvent {
  static constexpr std::size_t kFactBytesMax = 128;

  std::string_view type = {};  // one of AccountEventTypes()
  std::string event = {};      // FLAGGED, ACCOUNT_RESTRICTION, APPROVED, block, ...
  std::string quality = {};    // the new rating of a number or template
  std::string limit = {};      // the new messaging limit: TIER_2K, ...
  std::string state = {};      // of a ban, restriction or violation, or the severity of an alert
  std::string subject = {};    // which number, template or entity
  std::string reason = {};
  std::int32_t code = 0;  // of an error
};

// All types there are; the last is "other", for account-level items not seen before. They are metric labels. Besides
// the channel's own words there are account_disabled, account_restriction and account_violation, the grave ones among
// account_update.
std::span<const std::string_view> AccountEventTypes();

// Whether the type means that Meta acts against the account: it is disabled, restricted, in violation.
bool IsPunishment(std::string_view type);

// nullopt for what is about a conversation: anything but EventKind::kEvent, and a kEvent that has a user and is of no
// account-level type. Cost: parses the item again, so for these rare ones alone.
std::optional<AccountEvent> ReadAccountEvent(const Event& event);

}  // namespace channel
