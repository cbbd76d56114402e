#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "proto/bus/v1/bus.pb.h"

namespace ledger {

// What the first record in `replies` counts for: one turn in one generation. A worker that gave the turn up and a
// re-run that answered it compete, so that the user is never told both.
struct TurnKey {
  std::string turn_id;  // 32 bytes
  std::uint32_t generation = 0;
  bool fallback = false;  // the sender's own notice, of a reply that it could not send

  friend auto operator<=>(const TurnKey&, const TurnKey&) = default;

  template <typename H>
  friend H AbslHashValue(H state, const TurnKey& key) {
    return H::combine(std::move(state), key.turn_id, key.generation, key.fallback);
  }
};

inline bool IsFallback(mesh::bus::v1::ReplyKind kind) { return kind == mesh::bus::v1::REPLY_KIND_FALLBACK; }
// Of a Reply, and of the ledger's records about one.
template <typename Message>
TurnKey KeyOf(const Message& about) {
  return {about.turn_id(), about.generation(), IsFallback(about.kind())};
}

// 16 bytes that stand for a TurnKey where eight days of them are remembered. Collisions: 2^-64 at four billion turns.
using TurnDigest = std::array<std::uint8_t, 16>;
TurnDigest DigestOf(const TurnKey& key);
TurnDigest DigestOfTurn(const std::string& turn_id);  // of all its generations

}  // namespace ledger
