#include "libs/session/internal/turn_record.h"

#include <cstdint>
#include <limits>

namespace session::internal {
namespace {

using mesh::session::v1::HistoryTurn;
using mesh::session::v1::Outcome;

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kRecordBytes = 42;

template <typename Int>
void PutBigEndian(std::string& out, Int value) {
  const auto bits = static_cast<std::uint64_t>(value);
  for (int shift = static_cast<int>(sizeof(Int)) * 8 - 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(bits >> shift & 0xff));
  }
}

// Takes sizeof(Int) bytes from the front. REQUIRES: they are there
template <typename Int>
Int TakeBigEndian(std::string_view& in) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i) bits = bits << 8 | static_cast<unsigned char>(in[i]);
  in.remove_prefix(sizeof(Int));
  return static_cast<Int>(bits);
}

}  // namespace

std::string EncodeTurn(const HistoryTurn& turn) {
  std::string out;
  out.reserve(kRecordBytes + turn.user_text().size() + turn.reply_text().size());
  PutBigEndian(out, kVersion);
  PutBigEndian(out, static_cast<std::uint8_t>(turn.outcome()));
  PutBigEndian(out, turn.generation());
  PutBigEndian(out, turn.replies_offset());
  PutBigEndian(out, turn.turns_offset());
  PutBigEndian(out, turn.accepted_at_ms());
  PutBigEndian(out, turn.user_tokens());
  PutBigEndian(out, turn.reply_tokens());
  PutBigEndian(out, static_cast<std::uint32_t>(turn.user_text().size()));
  return out + turn.user_text() + turn.reply_text();
}

absl::StatusOr<HistoryTurn> DecodeTurn(std::string_view turn_id, std::string_view record) {
  if (record.size() < kRecordBytes) return absl::DataLossError("a stored turn is cut off");
  if (TakeBigEndian<std::uint8_t>(record) != kVersion) {
    return absl::DataLossError("a stored turn has a version that this service does not know");
  }
  HistoryTurn turn;
  turn.set_turn_id(std::string(turn_id));
  turn.set_outcome(static_cast<Outcome>(TakeBigEndian<std::uint8_t>(record)));
  turn.set_generation(TakeBigEndian<std::uint32_t>(record));
  turn.set_replies_offset(TakeBigEndian<std::int64_t>(record));
  turn.set_turns_offset(TakeBigEndian<std::int64_t>(record));
  turn.set_accepted_at_ms(TakeBigEndian<std::int64_t>(record));
  turn.set_user_tokens(TakeBigEndian<std::int32_t>(record));
  turn.set_reply_tokens(TakeBigEndian<std::int32_t>(record));
  const auto user_bytes = TakeBigEndian<std::uint32_t>(record);
  if (user_bytes > record.size()) return absl::DataLossError("a stored turn is cut off");
  turn.set_user_text(std::string(record.substr(0, user_bytes)));
  turn.set_reply_text(std::string(record.substr(user_bytes)));
  return turn;
}

std::string EncodeEarlyOutcome(const mesh::session::v1::SetOutcomeRequest& request) {
  const bool has_text = !request.reply_text().empty();
  std::int32_t tokens = 0;
  if (has_text) tokens = request.reply_tokens() > 0 ? request.reply_tokens() : EstimateTokens(request.reply_text());
  std::string out;
  PutBigEndian(out, kVersion);
  PutBigEndian(out, static_cast<std::uint8_t>(request.outcome()));
  PutBigEndian(out, request.generation());
  PutBigEndian(out, has_text ? request.replies_offset() : std::int64_t{-1});
  PutBigEndian(out, tokens);
  PutBigEndian(out, std::int64_t{0});
  return out + request.reply_text();
}

std::int32_t EstimateTokens(std::string_view text) {
  constexpr std::size_t kBytesPerToken = 3;
  return static_cast<std::int32_t>(text.size() / kBytesPerToken + (text.size() % kBytesPerToken != 0 ? 1 : 0));
}

}  // namespace session::internal
