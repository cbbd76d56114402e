#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/strong_id.h"
#include "proto/bus/v1/bus.pb.h"

// The ids that delivery rests on (design.md, "Delivery guarantee"). All parts are length-prefixed before hashing.
namespace identity {

using ConversationKey = base::StrongId<struct ConversationKeyTag, std::string>;  // record key: length-prefixed parts
using TurnId = base::StrongId<struct TurnIdTag, std::string>;                    // 32 bytes
using ReplyId = base::StrongId<struct ReplyIdTag, std::string>;                  // 32 bytes

ConversationKey KeyOf(const mesh::bus::v1::ConversationId& conversation);
// nullopt when `key` is not exactly tenant, channel, account, user.
std::optional<mesh::bus::v1::ConversationId> ParseKey(std::string_view key);

TurnId MakeTurnId(const mesh::bus::v1::ConversationId& conversation, std::string_view message_id);
ReplyId MakeReplyId(const TurnId& turn, std::uint32_t generation, mesh::bus::v1::ReplyKind kind, std::uint32_t part);

std::string_view ChannelName(mesh::bus::v1::Channel channel);                       // "whatsapp", ...; "unknown"
std::optional<mesh::bus::v1::Channel> ParseChannelName(std::string_view name);

// The conversation's id as far as logs may show it: channel, account and a hash of the user.
std::string ForLog(const mesh::bus::v1::ConversationId& conversation);

}  // namespace identity
