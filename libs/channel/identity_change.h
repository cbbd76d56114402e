#pragma once

#include <cstdint>
#include <optional>

#include "proto/bus/v1/bus.pb.h"

namespace channel {

// A user's id or number changed: from `new_conversation` on it is that one.
struct IdentityChange {
  mesh::bus::v1::ConversationId old_conversation;
  mesh::bus::v1::ConversationId new_conversation;  // of the same tenant, channel and account
  // By the channel's clock, so that a retried webhook tells the same change again and no later one; by the gateway's
  // where the channel gave no time.
  std::int64_t changed_at_ms = 0;
};

// What a turn of kind IDENTITY_CHANGE says. nullopt: it names no two ids, as a changed security code does, or is of
// another kind. WhatsApp alone tells of changes (`system` messages and `user_id_update`).
std::optional<IdentityChange> FindIdentityChange(const mesh::bus::v1::Turn& turn);

}  // namespace channel
