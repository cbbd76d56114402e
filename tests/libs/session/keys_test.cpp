#include "libs/session/internal/keys.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "libs/crypto/digest.h"

namespace session::internal {
namespace {

mesh::bus::v1::ConversationId Id(const std::string& tenant, const std::string& account, const std::string& user,
                                 mesh::bus::v1::Channel channel = mesh::bus::v1::CHANNEL_WHATSAPP) {
  mesh::bus::v1::ConversationId id;
  id.set_tenant(tenant);
  id.set_channel(channel);
  id.set_account(account);
  id.set_user(user);
  return id;
}

std::string HashTag(const std::string& key) {
  const std::size_t open = key.find('{');
  return key.substr(open, key.find('}') - open);
}

TEST(KeysTest, AllKeysOfAConversationShareOneHashTagAndDiffer) {
  const ConversationKeys keys = KeysOf("mesh", Id("t", "a", "u"));
  const std::set<std::string> all{keys.link, keys.meta, keys.order, keys.turns, keys.early, keys.control, keys.unsent};
  EXPECT_EQ(all.size(), 7u);
  for (const std::string& key : all) {
    EXPECT_EQ(HashTag(key), HashTag(keys.link));
    EXPECT_TRUE(key.starts_with("mesh:s:{")) << "an ACL of ~mesh:* must cover it";
  }
}

TEST(KeysTest, PartsThatReadAlikeWhenJoinedStayApart) {
  EXPECT_NE(KeysOf("mesh", Id("a_b", "c", "u")).turns, KeysOf("mesh", Id("a", "b_c", "u")).turns);
  EXPECT_NE(KeysOf("mesh", Id("a", "", "bu")).turns, KeysOf("mesh", Id("a", "b", "u")).turns);
  EXPECT_NE(KeysOf("mesh", Id("t", "a", "u", mesh::bus::v1::CHANNEL_WEB)).turns,
            KeysOf("mesh", Id("t", "a", "u", mesh::bus::v1::CHANNEL_API)).turns);
}

TEST(KeysTest, UserCannotChooseTheHashTag) {
  const ConversationKeys keys = KeysOf("mesh", Id("t", "a", "}{evil}:t"));
  EXPECT_EQ(keys.turns.find("evil"), std::string::npos);
}

// Goal: no two conversations share a key, also with parts made of the separators of keys.
// Method: 20,000 random part lists over a tiny alphabet, against a set of the lists themselves.
TEST(KeysTest, AreInjectiveOnRandomParts) {
  constexpr std::uint32_t kSeed = 20260704;
  SCOPED_TRACE(kSeed);
  std::mt19937 rng(kSeed);
  const std::string alphabet = "a:{}_";
  const auto part = [&] {
    std::string text(rng() % 4, ' ');
    for (char& c : text) c = alphabet[rng() % alphabet.size()];
    return text;
  };
  std::set<std::string> keys;
  std::set<std::array<std::string, 3>> lists;
  for (int i = 0; i < 20'000; ++i) {
    const std::array<std::string, 3> parts{part(), part(), part()};
    const bool new_list = lists.insert(parts).second;
    EXPECT_EQ(keys.insert(KeysOf("mesh", Id(parts[0], parts[1], parts[2])).turns).second, new_list);
  }
}

TEST(DoneShardTest, TurnsSpreadOverAllShardsAndStayOnTheirs) {
  constexpr int kShards = 16;
  std::set<std::string> keys;
  for (int i = 0; i < 1000; ++i) {
    const std::string id(crypto::AsBytes(crypto::Sha256(std::to_string(i))));
    const std::vector<std::string> ring = DoneShardKeys("mesh", id, kShards);
    ASSERT_EQ(ring.size(), std::size_t{kDoneRing});
    for (const std::string& key : ring) EXPECT_EQ(HashTag(key), HashTag(ring[0]));
    keys.insert(ring.begin(), ring.end());
    EXPECT_EQ(DoneShardKeys("mesh", id, kShards), ring);
    EXPECT_EQ(DoneDigest(id).size(), 16u);
  }
  EXPECT_EQ(keys.size(), std::size_t{kShards * kDoneRing});
}

TEST(DoneShardDeathTest, ShardsMustBeAPowerOfTwo) {
  EXPECT_DEATH(DoneShardKeys("mesh", std::string(32, 'x'), 12), "shards");
}

}  // namespace
}  // namespace session::internal
