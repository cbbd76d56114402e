#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proto/session/v1/session.pb.h"

namespace session::internal {

// A turn as it is stored, big endian, written and read here and by scripts/record.lua:
//   u8 version (1) | u8 outcome | u32 generation | i64 replies_offset | i64 turns_offset | i64 accepted_at_ms |
//   i32 user_tokens | i32 reply_tokens | u32 user_text bytes | user_text | reply_text
// Not protobuf, because the scripts compare offsets and replace texts inside Redis.
// Lua numbers are doubles: integers up to 2^53 are exact, and requests are held to that.
std::string EncodeTurn(const mesh::session::v1::HistoryTurn& turn);
absl::StatusOr<mesh::session::v1::HistoryTurn> DecodeTurn(std::string_view turn_id,
                                                          std::string_view record);  // DataLoss

// An outcome that came before its turn:
//   u8 version (1) | u8 outcome | u32 generation | i64 replies_offset (-1: no text) | i32 reply_tokens | i64
//   arrived_at_ms | reply_text
std::string EncodeEarlyOutcome(
    const mesh::session::v1::SetOutcomeRequest& request);  // arrival time is set by the script

// Tokens of a text whose count nobody sent: one for every three bytes, rounded up. Real tokenizers give fewer for
// nearly all texts, so that a context built with it stays within its budget.
std::int32_t EstimateTokens(std::string_view text);

}  // namespace session::internal
