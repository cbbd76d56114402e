#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libs/base/strong_id.h"
#include "proto/bus/v1/bus.pb.h"

// The ids that delivery rests on (design.md, "Delivery guarantee"). All parts are length-prefixed before hashing; the
// channel goes in by its name, numbers as 4 bytes, big endian. These bytes are a wire contract: a change to them makes
// every stored id a different one, so tests pin examples.
//
// Threading: pure functions. Cost: a microsecond.
namespace identity {

using ConversationKey = base::StrongId<struct ConversationKeyTag, std::string>;  // record key: length-prefixed parts
using TurnId = base::StrongId<struct TurnIdTag, std::string>;                    // 32 bytes
using ReplyId = base::StrongId<struct ReplyIdTag, std::string>;                  // 32 bytes

// Takes any value, that of a channel of a newer version too, and gives different keys for different conversations.
ConversationKey KeyOf(const mesh::bus::v1::ConversationId& conversation);
// The exact inverse: nullopt when `key` is not what KeyOf gives for some conversation, whose strings are UTF-8
// (protobuf would write other strings and then refuse to read them).
std::optional<mesh::bus::v1::ConversationId> ParseKey(std::string_view key);

TurnId MakeTurnId(const mesh::bus::v1::ConversationId& conversation, std::string_view message_id);
ReplyId MakeReplyId(const TurnId& turn, std::uint32_t generation, mesh::bus::v1::ReplyKind kind, std::uint32_t part);

std::string_view ChannelName(mesh::bus::v1::Channel channel);  // "whatsapp", ...; "unknown" for all that have no name
bool IsMetaChannel(mesh::bus::v1::Channel channel);            // its accounts live behind the Graph API
std::optional<mesh::bus::v1::Channel> ParseChannelName(std::string_view name);  // nullopt for "unknown"

// The conversation's id as far as logs may show it: channel, account and a hash of the user.
std::string ForLog(const mesh::bus::v1::ConversationId& conversation);

}  // namespace identity
