#include "libs/session/internal/keys.h"

#include "libs/base/check.h"
#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/crypto/digest.h"
#include "libs/identity/identity.h"

namespace session::internal {
namespace {

constexpr std::size_t kTurnIdBytes = 32;
constexpr std::size_t kDigestBytes = 16;
constexpr std::size_t kConversationHashBytes = 16;

}  // namespace

ConversationKeys KeysOf(std::string_view prefix, const mesh::bus::v1::ConversationId& conversation) {
  const crypto::Sha256Digest digest = crypto::Sha256(identity::KeyOf(conversation).value());
  const std::string stem =
      base::StrCat(prefix, ":s:{", base::ToHex(crypto::AsBytes(digest).substr(0, kConversationHashBytes)), "}:");
  return {stem + "l", stem + "m", stem + "o", stem + "t", stem + "e", stem + "c", stem + "u"};
}

std::vector<std::string> DoneShardKeys(std::string_view prefix, std::string_view turn_id, std::int32_t shards) {
  CHECK(turn_id.size() == kTurnIdBytes);
  CHECK(shards > 0 && (shards & (shards - 1)) == 0);
  std::uint32_t number = 0;
  for (const char c : turn_id.substr(kDigestBytes, 4)) number = number << 8 | static_cast<unsigned char>(c);
  const std::string stem = base::StrCat(prefix, ":d:{", number & static_cast<std::uint32_t>(shards - 1), "}:");
  std::vector<std::string> keys;
  for (int i = 0; i < kDoneRing; ++i) keys.push_back(base::StrCat(stem, i));
  return keys;
}

std::string_view DoneDigest(std::string_view turn_id) {
  CHECK(turn_id.size() == kTurnIdBytes);
  return turn_id.substr(0, kDigestBytes);
}

}  // namespace session::internal
