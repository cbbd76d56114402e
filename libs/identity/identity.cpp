#include "libs/identity/identity.h"

#include <array>
#include <charconv>
#include <utility>
#include <vector>

#include "libs/base/byte_key.h"
#include "libs/base/utf8.h"
#include "libs/crypto/digest.h"
#include "libs/telemetry/log.h"

namespace identity {
namespace {

using mesh::bus::v1::Channel;
using mesh::bus::v1::ConversationId;

struct NamedChannel {
  Channel channel;
  std::string_view name;
};
constexpr std::array kChannels = {
    NamedChannel{mesh::bus::v1::CHANNEL_WHATSAPP, "whatsapp"},
    NamedChannel{mesh::bus::v1::CHANNEL_MESSENGER, "messenger"},
    NamedChannel{mesh::bus::v1::CHANNEL_INSTAGRAM, "instagram"},
    NamedChannel{mesh::bus::v1::CHANNEL_WEB, "web"},
    NamedChannel{mesh::bus::v1::CHANNEL_API, "api"},
};
constexpr std::string_view kUnknownName = "unknown";
constexpr std::size_t kKeyParts = 4;  // tenant, channel, account, user

// The channel as part of a key: its name, which operators can read in a Kafka tool, or the decimal number of a value
// without one, so that two such values stay different. No name is a number, so the two cannot meet.
std::string ChannelPart(Channel channel) {
  const std::string_view name = ChannelName(channel);
  return name == kUnknownName ? std::to_string(static_cast<int>(channel)) : std::string(name);
}

std::optional<Channel> ParseChannelPart(std::string_view part) {
  if (const auto named = ParseChannelName(part)) return named;
  int number = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
  if (error != std::errc{} || end != part.data() + part.size()) return std::nullopt;
  const auto channel = static_cast<Channel>(number);
  // Only the one spelling that ChannelPart gives: not "1", "07" or "-0".
  return ChannelPart(channel) == part ? std::optional(channel) : std::nullopt;
}

std::string BigEndian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift & 0xff));
  return bytes;
}

std::string HashOf(std::initializer_list<std::string_view> parts) {
  return std::string(crypto::AsBytes(crypto::Sha256(base::JoinLengthPrefixed(parts))));
}

}  // namespace

ConversationKey KeyOf(const ConversationId& conversation) {
  return ConversationKey(base::JoinLengthPrefixed(
      {conversation.tenant(), ChannelPart(conversation.channel()), conversation.account(), conversation.user()}));
}

std::optional<ConversationId> ParseKey(std::string_view key) {
  auto parts = base::SplitLengthPrefixed(key, kKeyParts);
  if (!parts || parts->size() != kKeyParts) return std::nullopt;
  for (const std::string& part : *parts) {
    if (!base::IsUtf8(part)) return std::nullopt;
  }
  const auto channel = ParseChannelPart((*parts)[1]);
  if (!channel) return std::nullopt;
  ConversationId conversation;
  conversation.set_tenant(std::move((*parts)[0]));
  conversation.set_channel(*channel);
  conversation.set_account(std::move((*parts)[2]));
  conversation.set_user(std::move((*parts)[3]));
  return conversation;
}

TurnId MakeTurnId(const ConversationId& conversation, std::string_view message_id) {
  return TurnId(
      HashOf({conversation.tenant(), ChannelPart(conversation.channel()), conversation.account(), message_id}));
}

ReplyId MakeReplyId(const TurnId& turn, std::uint32_t generation, mesh::bus::v1::ReplyKind kind, std::uint32_t part) {
  return ReplyId(
      HashOf({turn.value(), BigEndian(generation), BigEndian(static_cast<std::uint32_t>(kind)), BigEndian(part)}));
}

std::string_view ChannelName(Channel channel) {
  for (const NamedChannel& named : kChannels) {
    if (named.channel == channel) return named.name;
  }
  return kUnknownName;
}

bool IsMetaChannel(Channel channel) {
  return channel == mesh::bus::v1::CHANNEL_WHATSAPP || channel == mesh::bus::v1::CHANNEL_MESSENGER ||
         channel == mesh::bus::v1::CHANNEL_INSTAGRAM;
}

std::optional<Channel> ParseChannelName(std::string_view name) {
  for (const NamedChannel& named : kChannels) {
    if (named.name == name) return named.channel;
  }
  return std::nullopt;
}

std::string ForLog(const ConversationId& conversation) {
  std::string text(ChannelName(conversation.channel()));
  text += '/';
  text += conversation.account();
  text += '/';
  text += telemetry::LogHash(conversation.user());
  return text;
}

}  // namespace identity
