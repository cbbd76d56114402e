// What the sender's reports do to the history: whose words it holds, and what became of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/libs/session/session_fixture.h"

namespace session {
namespace {

using testing::IsEmpty;

class OutcomeTest : public StoreFixture {
 protected:
  const mesh::bus::v1::ConversationId ana_ = Conversation("ana");
};

// Goal: the words in the history are those of the log even when the worker that wrote them died before AppendTurn and
// another one projected other words under a later offset.
TEST_F(OutcomeTest, SenderBringsTheFirstRecordsTextBeforeOrAfterTheAppend) {
  v1::SetOutcomeRequest sent = OutcomeOf(ana_, TurnAt(1, 9).turn_id(), v1::OUTCOME_SENT);
  sent.set_reply_text("what was said");
  sent.set_replies_offset(4);
  sent.set_reply_tokens(6);
  for (const bool append_first : {true, false}) {
    const auto conversation = Conversation(append_first ? "append first" : "outcome first");
    *sent.mutable_conversation() = conversation;
    if (append_first) Append(conversation, TurnAt(1, 9, "what a re-run made of it"));
    Set(sent);
    if (!append_first) {
      EXPECT_FALSE(Append(conversation, TurnAt(1, 9, "what a re-run made of it")));
    }
    const auto turns = Turns(conversation);
    ASSERT_EQ(turns.size(), 1u);
    EXPECT_EQ(turns[0].reply_text(), "what was said");
    EXPECT_EQ(turns[0].replies_offset(), 4);
    EXPECT_EQ(turns[0].reply_tokens(), 6);
    EXPECT_EQ(turns[0].user_text(), "question 1");
    EXPECT_EQ(turns[0].outcome(), v1::OUTCOME_SENT);
  }
}

TEST_F(OutcomeTest, LaterTextOfTheSenderChangesNothing) {
  Append(ana_, TurnAt(1, 4, "first"));
  v1::SetOutcomeRequest sent = OutcomeOf(ana_, TurnAt(1, 4).turn_id(), v1::OUTCOME_SENT);
  sent.set_reply_text("second");
  sent.set_replies_offset(5);
  Set(sent);
  EXPECT_EQ(Turns(ana_)[0].reply_text(), "first");
}

TEST_F(OutcomeTest, OutcomeOfAnEarlierGenerationDoesNotTouchTheLaterAnswer) {
  v1::HistoryTurn answer = TurnAt(1, 50);
  answer.set_generation(1);
  v1::SetOutcomeRequest later = OutcomeOf(ana_, answer.turn_id(), v1::OUTCOME_SENT);
  later.set_generation(1);
  Append(ana_, TurnAt(1, 3));
  Set(later);  // of an answer that is not here yet
  EXPECT_EQ(Turns(ana_)[0].outcome(), v1::OUTCOME_UNSPECIFIED);
  Append(ana_, answer);
  EXPECT_EQ(Turns(ana_)[0].outcome(), v1::OUTCOME_SENT);
  Set(OutcomeOf(ana_, answer.turn_id(), v1::OUTCOME_FAILED));  // generation 0
  EXPECT_EQ(Turns(ana_)[0].outcome(), v1::OUTCOME_SENT);
}

// An operator requeued the reply, not the turn: no worker appends it again, and the outcome brings the words.
TEST_F(OutcomeTest, OutcomeOfARequeuedReplyTakesThePlaceOfTheFailedOne) {
  Append(ana_, TurnAt(1, 3, "never seen"));
  Set(OutcomeOf(ana_, TurnAt(1, 3).turn_id(), v1::OUTCOME_FAILED));
  v1::SetOutcomeRequest again = OutcomeOf(ana_, TurnAt(1, 3).turn_id(), v1::OUTCOME_DELIVERED);
  again.set_generation(1);
  Set(again);  // evidence, without words, may come first
  again.set_outcome(v1::OUTCOME_SENT);
  again.set_reply_text("seen after all");
  again.set_replies_offset(50);
  Set(again);
  const auto turns = Turns(ana_);
  ASSERT_EQ(turns.size(), 1u);
  EXPECT_EQ(turns[0].generation(), 1u);
  EXPECT_EQ(turns[0].outcome(), v1::OUTCOME_DELIVERED);
  EXPECT_EQ(turns[0].reply_text(), "seen after all");
  EXPECT_EQ(turns[0].user_text(), "question 1");
}

// Goal: whatever the order of a first worker's reply, a second worker's projection of other words, the sender's report
// and the loss of all data, the history never holds words that were not said.
TEST_F(OutcomeTest, FirstWordsStandWhenRedisIsEmptiedInBetween) {
  v1::SetOutcomeRequest sent = OutcomeOf(ana_, TurnAt(1, 9).turn_id(), v1::OUTCOME_SENT);
  sent.set_reply_text("what was said");
  sent.set_replies_offset(4);
  Append(ana_, TurnAt(1, 9, "other words"));
  Redis({"FLUSHALL"});
  Set(sent);
  EXPECT_THAT(Turns(ana_), IsEmpty());
  Append(ana_, TurnAt(1, 11, "words of a third run"));
  ASSERT_EQ(Turns(ana_).size(), 1u);
  EXPECT_EQ(Turns(ana_)[0].reply_text(), "what was said");
  EXPECT_EQ(Turns(ana_)[0].outcome(), v1::OUTCOME_SENT);
}

}  // namespace
}  // namespace session
