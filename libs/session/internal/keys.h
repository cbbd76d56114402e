#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/retention/retention.h"
#include "proto/bus/v1/bus.pb.h"

namespace session::internal {

// The Redis keys of one conversation. All share one hash tag (the part in braces), so that a script may touch them
// together in a cluster:
//   <prefix>:s:{H}:l   hash    link: `to` (conversation it has become), `at` (time of the last identity change)
//   <prefix>:s:{H}:m   hash    meta: `bytes`, `floor`, `forgot`
//   <prefix>:s:{H}:o   zset    turn id -> order
//   <prefix>:s:{H}:t   hash    turn id -> record (turn_record.h)
//   <prefix>:s:{H}:e   hash    turn id -> outcome that came before its turn
//   <prefix>:s:{H}:c   hash    `handoff` and `consent`: the ControlAction that stands; `..._at`: its order
//   <prefix>:s:{H}:u   zset    turn id of an unsent message -> when that was learned, in milliseconds
// H is the hex of the first 16 bytes of SHA-256 over the length-prefixed parts, tenant first: ids from users can
// neither collide across tenants nor break out of the key (GHSA-hwr4-mq23-wcv5 is what joining with a separator leads
// to).
struct ConversationKeys {
  std::string link;
  std::string meta;
  std::string order;
  std::string turns;
  std::string early;
  std::string control;
  std::string unsent;
};
ConversationKeys KeysOf(std::string_view prefix, const mesh::bus::v1::ConversationId& conversation);

// Where a finished turn is remembered: one of <prefix>:d:{shard}:0 to :5, a ring of strings by time (scripts/done.lua).
// Shard and digest are different bytes of the turn id, which is a SHA-256 itself, so together they hold more than the
// 16 bytes that are stored.
//
// A string takes entries for 2 days and expires a little after what its last one is about has left the log: after 10
// days and an hour, before its turn in the ring of 12 days comes again. Each entry lives for 8 to 10 days.
constexpr int kDoneRing = 6;
constexpr int kDoneHoursPerString = 48;
constexpr int kDoneTtlHours = std::chrono::hours(retention::kLog).count() + 1;
static_assert(kDoneHoursPerString + kDoneTtlHours < kDoneRing * kDoneHoursPerString);
std::vector<std::string> DoneShardKeys(std::string_view prefix, std::string_view turn_id, std::int32_t shards);
std::string_view DoneDigest(std::string_view turn_id);  // REQUIRES (both): 32 bytes; shards is a power of two

}  // namespace session::internal
