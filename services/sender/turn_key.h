#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "proto/bus/v1/bus.pb.h"

namespace sender {

// What the first record in `replies` counts for: one answer or notice of one turn in one generation.
struct TurnKey {
  std::string turn_id;  // 32 bytes
  std::uint32_t generation = 0;
  mesh::bus::v1::ReplyKind kind = mesh::bus::v1::REPLY_KIND_ANSWER;

  friend auto operator<=>(const TurnKey&, const TurnKey&) = default;

  template <typename H>
  friend H AbslHashValue(H state, const TurnKey& key) {
    return H::combine(std::move(state), key.turn_id, key.generation, static_cast<int>(key.kind));
  }
};

inline TurnKey KeyOf(const mesh::bus::v1::Reply& reply) { return {reply.turn_id(), reply.generation(), reply.kind()}; }

// 16 bytes that stand for a TurnKey where eight days of them are remembered. Collisions: 2^-64 at four billion turns.
using TurnDigest = std::array<std::uint8_t, 16>;
TurnDigest DigestOf(const TurnKey& key);

}  // namespace sender
