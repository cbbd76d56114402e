#include "libs/identity/identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "libs/base/hex.h"
#include "libs/crypto/digest.h"

namespace identity {
namespace {

using mesh::bus::v1::Channel;
using mesh::bus::v1::ConversationId;

ConversationId Conversation(std::string tenant, Channel channel, std::string account, std::string user) {
  ConversationId conversation;
  conversation.set_tenant(std::move(tenant));
  conversation.set_channel(channel);
  conversation.set_account(std::move(account));
  conversation.set_user(std::move(user));
  return conversation;
}

const ConversationId& Example() {
  static const ConversationId& example =
      *new ConversationId(Conversation("acme", mesh::bus::v1::CHANNEL_WHATSAPP, "106540352242922", "15551234567"));
  return example;
}

std::string Bytes(std::string_view text) { return std::string(text); }
std::string Size(char size) { return std::string("\0\0\0", 3) + size; }

TEST(KeyTest, IsTenantChannelAccountAndUserEachAfterItsLength) {
  EXPECT_EQ(KeyOf(Example()).value(), Size(4) + Bytes("acme") + Size(8) + Bytes("whatsapp") + Size(15) +
                                          Bytes("106540352242922") + Size(11) + Bytes("15551234567"));
}

TEST(KeyTest, PartsThatJoinToTheSameTextHaveDifferentKeys) {
  const Channel web = mesh::bus::v1::CHANNEL_WEB;
  EXPECT_NE(KeyOf(Conversation("a", web, "b_c", "d")), KeyOf(Conversation("a", web, "b", "c_d")));
  EXPECT_NE(KeyOf(Conversation("", web, "", "abc")), KeyOf(Conversation("", web, "abc", "")));
}

TEST(KeyTest, ChannelsOfANewerVersionStayApartAndCanBeReadBack) {
  for (const int number : {0, 6, 7, 1000, -1}) {
    const auto channel = static_cast<Channel>(number);
    const auto parsed = ParseKey(KeyOf(Conversation("t", channel, "a", "u")).value());
    ASSERT_TRUE(parsed) << number;
    EXPECT_EQ(parsed->channel(), channel);
  }
}

// Goal: no two conversations share a key or a turn id, and ParseKey inverts KeyOf.
// Method: random parts over a small alphabet that holds length bytes and separators, so that collisions of a wrong
// encoding would come quickly; every key is looked up among all earlier ones.
TEST(KeyTest, KeysAreInjectiveAndInvertible) {
  constexpr unsigned kSeed = 20250131;
  SCOPED_TRACE(kSeed);
  std::mt19937 rng(kSeed);
  const std::string alphabet("\0\1\4_:/a", 7);
  const auto random_part = [&] {
    std::string part(rng() % 5, '\0');
    for (char& byte : part) byte = alphabet[rng() % alphabet.size()];
    return part;
  };
  using Parts = std::tuple<std::string, int, std::string, std::string>;
  std::map<std::string, Parts> seen_keys;
  std::map<std::string, Parts> seen_turns;
  for (int round = 0; round < 50'000; ++round) {
    const Parts parts(random_part(), static_cast<int>(rng() % 6), random_part(), random_part());
    const auto& [tenant, channel, account, last] = parts;
    const ConversationId conversation = Conversation(tenant, static_cast<Channel>(channel), account, last);

    const std::string key = KeyOf(conversation).value();
    ASSERT_EQ(seen_keys.emplace(key, parts).first->second, parts);
    const auto parsed = ParseKey(key);
    ASSERT_TRUE(parsed);
    ASSERT_EQ(KeyOf(*parsed).value(), key);
    ASSERT_EQ(parsed->tenant(), tenant);
    ASSERT_EQ(parsed->account(), account);
    ASSERT_EQ(parsed->user(), last);

    ASSERT_EQ(seen_turns.emplace(MakeTurnId(conversation, last).value(), parts).first->second, parts);
  }
}

TEST(ParseKeyTest, RefusesEverythingThatIsNotAKey) {
  const std::string key = KeyOf(Example()).value();
  for (std::size_t size = 0; size < key.size(); ++size) EXPECT_FALSE(ParseKey(key.substr(0, size))) << size;
  EXPECT_FALSE(ParseKey(key + Size(0)));
  EXPECT_FALSE(ParseKey(key + "x"));
  EXPECT_FALSE(ParseKey(std::string(16, '\xff')));
}

TEST(ParseKeyTest, RefusesPartsThatAreNotUtf8) {
  EXPECT_TRUE(ParseKey(KeyOf(Conversation("t", mesh::bus::v1::CHANNEL_WEB, "a", "\xC3\xA9")).value()));
  EXPECT_FALSE(ParseKey(KeyOf(Conversation("t", mesh::bus::v1::CHANNEL_WEB, "a", "\xC3")).value()));
}

TEST(ParseKeyTest, TakesOneSpellingOfAChannelOnly) {
  const auto key_with_channel = [](std::string_view channel) {
    return Size(0) + Size(static_cast<char>(channel.size())) + std::string(channel) + Size(0) + Size(0);
  };
  EXPECT_TRUE(ParseKey(key_with_channel("whatsapp")));
  EXPECT_TRUE(ParseKey(key_with_channel("0")));
  for (const std::string_view channel : {"1", "07", "+7", "-0", "7 ", "", "unknown", "WhatsApp", "99999999999"}) {
    EXPECT_FALSE(ParseKey(key_with_channel(channel))) << channel;
  }
}

// Stored ids are compared with newly made ones for days: these bytes may never change. The expected value is computed
// here from the definition, and pinned as well.
TEST(TurnIdTest, IsTheHashOfTenantChannelAccountAndMessageId) {
  const std::string bytes =
      Size(4) + "acme" + Size(8) + "whatsapp" + Size(15) + "106540352242922" + Size(8) + "wamid.AB";
  const TurnId turn = MakeTurnId(Example(), "wamid.AB");
  EXPECT_EQ(turn.value(), crypto::AsBytes(crypto::Sha256(bytes)));
  EXPECT_EQ(base::ToHex(turn.value()), "f2c91458b619425c7852aa8c7eda8ab2aea1c437fac47a14b19e9bf216ad65d3");
}

TEST(TurnIdTest, DoesNotDependOnTheUserWhoseIdMayChange) {
  ConversationId renamed = Example();
  renamed.set_user("US.13491208655302741918");
  EXPECT_EQ(MakeTurnId(Example(), "wamid.AB"), MakeTurnId(renamed, "wamid.AB"));
}

TEST(TurnIdTest, DependsOnTenantChannelAccountAndMessage) {
  const TurnId turn = MakeTurnId(Example(), "wamid.AB");
  ConversationId other = Example();
  other.set_tenant("acm");
  EXPECT_NE(MakeTurnId(other, "wamid.AB"), turn);
  other = Example();
  other.set_channel(mesh::bus::v1::CHANNEL_MESSENGER);
  EXPECT_NE(MakeTurnId(other, "wamid.AB"), turn);
  other = Example();
  other.set_account("1");
  EXPECT_NE(MakeTurnId(other, "wamid.AB"), turn);
  EXPECT_NE(MakeTurnId(Example(), "wamid.AC"), turn);
}

TEST(ReplyIdTest, IsTheHashOfTurnGenerationKindAndPart) {
  const TurnId turn(std::string(32, 'T'));
  const std::string bytes = Size(32) + turn.value() + Size(4) + Size(2) + Size(4) + Size(1) + Size(4) + Size(3);
  EXPECT_EQ(MakeReplyId(turn, 2, mesh::bus::v1::REPLY_KIND_NOTICE, 3).value(), crypto::AsBytes(crypto::Sha256(bytes)));
}

TEST(ReplyIdTest, EveryPartOfEveryGenerationAndKindHasItsOwn) {
  const TurnId turn = MakeTurnId(Example(), "wamid.AB");
  std::vector<std::string> ids;
  for (const std::uint32_t generation : {0u, 1u, 256u}) {
    for (const auto kind :
         {mesh::bus::v1::REPLY_KIND_ANSWER, mesh::bus::v1::REPLY_KIND_NOTICE, mesh::bus::v1::REPLY_KIND_FALLBACK}) {
      for (const std::uint32_t part : {0u, 1u, 256u}) ids.push_back(MakeReplyId(turn, generation, kind, part).value());
    }
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
}

TEST(ChannelNameTest, NamesAndParsesEveryChannel) {
  for (const std::string_view name : {"whatsapp", "messenger", "instagram", "web", "api"}) {
    ASSERT_TRUE(ParseChannelName(name)) << name;
    EXPECT_EQ(ChannelName(*ParseChannelName(name)), name);
  }
  for (int number = mesh::bus::v1::Channel_MIN; number <= mesh::bus::v1::Channel_MAX; ++number) {
    const auto channel = static_cast<Channel>(number);
    const bool is_named = channel != mesh::bus::v1::CHANNEL_UNSPECIFIED;
    EXPECT_EQ(ChannelName(channel) != "unknown", is_named) << "a channel was added to the proto without a name";
  }
  EXPECT_FALSE(ParseChannelName("unknown"));
  EXPECT_FALSE(ParseChannelName(""));
}

TEST(ForLogTest, HidesTheUser) {
  EXPECT_THAT(ForLog(Example()), testing::MatchesRegex("whatsapp/106540352242922/[0-9a-f]{12}"));
  EXPECT_EQ(ForLog(Example()).find("15551234567"), std::string::npos);
}

}  // namespace
}  // namespace identity
