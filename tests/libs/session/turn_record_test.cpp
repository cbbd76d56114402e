#include "libs/session/internal/turn_record.h"

#include <gtest/gtest.h>

#include <string>

namespace session::internal {
namespace {

mesh::session::v1::HistoryTurn FullTurn() {
  mesh::session::v1::HistoryTurn turn;
  turn.set_turn_id(std::string(32, 'i'));
  turn.set_user_text("question");
  turn.set_reply_text("answer");
  turn.set_user_tokens(3);
  turn.set_reply_tokens(4);
  turn.set_accepted_at_ms(1'700'000'000'123);
  turn.set_replies_offset((std::int64_t{1} << 53) - 1);
  turn.set_turns_offset((std::int64_t{1} << 44) - 1);
  turn.set_outcome(mesh::session::v1::OUTCOME_READ);
  turn.set_generation(0xfffffffe);
  return turn;
}

TEST(TurnRecordTest, DecodesWhatItEncoded) {
  const auto decoded = DecodeTurn(FullTurn().turn_id(), EncodeTurn(FullTurn()));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->SerializeAsString(), FullTurn().SerializeAsString());
}

TEST(TurnRecordTest, EveryCutInsideTheFixedPartOrTheQuestionIsDataLoss) {
  const std::string record = EncodeTurn(FullTurn());
  const std::size_t question_end = record.size() - FullTurn().reply_text().size();
  for (std::size_t size = 0; size < question_end; ++size) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeTurn("id", record.substr(0, size)).status())) << size;
  }
}

TEST(TurnRecordTest, UnknownVersionIsDataLoss) {
  std::string record = EncodeTurn(FullTurn());
  record[0] = 2;
  EXPECT_TRUE(absl::IsDataLoss(DecodeTurn("id", record).status()));
}

TEST(TurnRecordTest, EstimateNeverIsZeroForAText) {
  EXPECT_EQ(EstimateTokens(""), 0);
  EXPECT_EQ(EstimateTokens("a"), 1);
  EXPECT_EQ(EstimateTokens("abc"), 1);
  EXPECT_EQ(EstimateTokens("abcd"), 2);
}

}  // namespace
}  // namespace session::internal
