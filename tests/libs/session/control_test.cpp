// Who answers a conversation, and what the user took back, against a real redis-server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "libs/session/store.h"
#include "tests/libs/session/session_fixture.h"

namespace session {
namespace {

using mesh::bus::v1::CONTROL_ACTION_OPT_IN;
using mesh::bus::v1::CONTROL_ACTION_OPT_OUT;
using mesh::bus::v1::CONTROL_ACTION_PAUSE;
using mesh::bus::v1::CONTROL_ACTION_RESUME;
using testing::ElementsAre;
using testing::IsEmpty;

class ControlTest : public StoreFixture {
 protected:
  bool Control(const mesh::bus::v1::ConversationId& conversation, mesh::bus::v1::ControlAction action,
               std::int64_t turns_offset, const std::string& turn_id = "") {
    v1::SetControlRequest request;
    *request.mutable_conversation() = conversation;
    request.set_action(action);
    request.set_turns_offset(turns_offset);
    request.set_turn_id(turn_id);
    const auto response = store_->SetControl(request, Soon());
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() && response->applied();
  }
  bool Unsend(const mesh::bus::v1::ConversationId& conversation, const std::string& turn_id) {
    v1::UnsendRequest request;
    *request.mutable_conversation() = conversation;
    request.set_turn_id(turn_id);
    const auto response = store_->Unsend(request, Soon());
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() && response->deleted();
  }
  // "", "paused", "opted out", or both.
  std::string StateOf(const mesh::bus::v1::ConversationId& conversation) {
    const v1::LoadContextResponse loaded = Load(conversation, TurnIdOf("asking"));
    v1::GetSessionRequest request;
    *request.mutable_conversation() = conversation;
    const auto shown = store_->GetSession(request, Soon());
    EXPECT_EQ(shown->paused(), loaded.paused());
    EXPECT_EQ(shown->opted_out(), loaded.opted_out());
    return std::string(loaded.paused() ? "paused" : "") + (loaded.opted_out() ? "opted out" : "");
  }
  std::vector<std::string> KeysWith(const std::string& text) {
    std::vector<std::string> keys;
    for (const redis::Reply& key : Redis({"KEYS", "*"}).elements) {
      const redis::Reply type = Redis({"TYPE", key.text});
      const redis::Reply all = type.text == "hash" ? Redis({"HGETALL", key.text}) : redis::Reply{};
      const bool found = std::any_of(all.elements.begin(), all.elements.end(), [&](const redis::Reply& value) {
        return value.text.find(text) != std::string::npos;
      });
      if (found) keys.push_back(key.text);
    }
    return keys;
  }

  const mesh::bus::v1::ConversationId ana_ = Conversation("ana");
  const mesh::bus::v1::ConversationId bea_ = Conversation("bea");
};

TEST_F(ControlTest, HandoffAndConsentAreApart) {
  EXPECT_EQ(StateOf(ana_), "");
  EXPECT_TRUE(Control(ana_, CONTROL_ACTION_PAUSE, 1));
  EXPECT_EQ(StateOf(ana_), "paused");
  EXPECT_TRUE(Control(ana_, CONTROL_ACTION_OPT_OUT, 2));
  EXPECT_EQ(StateOf(ana_), "pausedopted out");
  EXPECT_TRUE(Control(ana_, CONTROL_ACTION_RESUME, 3));
  EXPECT_EQ(StateOf(ana_), "opted out");
  EXPECT_TRUE(Control(ana_, CONTROL_ACTION_OPT_IN, 4));
  EXPECT_EQ(StateOf(ana_), "");
  EXPECT_EQ(StateOf(bea_), "");
}

// Goal: replays and late writers converge on the log.
// Method: every order of four records, each told twice, against what the last of each kind in the log says.
TEST_F(ControlTest, TheLastRecordOfEachKindStandsInWhateverOrderTheyCome) {
  const std::vector<mesh::bus::v1::ControlAction> log{
      CONTROL_ACTION_PAUSE, CONTROL_ACTION_OPT_OUT, CONTROL_ACTION_OPT_IN, CONTROL_ACTION_RESUME, CONTROL_ACTION_PAUSE};
  std::vector<std::size_t> order{0, 1, 2, 3, 4};
  int permutation = 0;
  do {
    const auto user = Conversation("permutation " + std::to_string(permutation++));
    for (const std::size_t at : order) {
      Control(user, log[at], static_cast<std::int64_t>(at) + 1);
      Control(user, log[at], static_cast<std::int64_t>(at) + 1);
    }
    ASSERT_EQ(StateOf(user), "paused");
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_FALSE(Control(Conversation("permutation 0"), CONTROL_ACTION_RESUME, 4)) << "a later record is known";
}

// A retried webhook gives the same record again, behind what the user has said since.
TEST_F(ControlTest, ARecordThatStandsTwiceInTheLogCountsWhereItStandsFirst) {
  const std::string stop = TurnIdOf("stop");
  EXPECT_TRUE(Control(ana_, CONTROL_ACTION_OPT_OUT, 1, stop));
  EXPECT_TRUE(Control(ana_, CONTROL_ACTION_OPT_IN, 2, TurnIdOf("resume")));
  EXPECT_FALSE(Control(ana_, CONTROL_ACTION_OPT_OUT, 3, stop));
  EXPECT_EQ(StateOf(ana_), "");
  EXPECT_TRUE(Done(stop));
}

TEST_F(ControlTest, ADeletionEndsAHandoffAndLeavesTheWishForSilence) {
  Append(ana_, TurnAt(1, 1));
  Control(ana_, CONTROL_ACTION_PAUSE, 2);
  Control(ana_, CONTROL_ACTION_OPT_OUT, 3);
  Forget(ana_, 4);
  EXPECT_EQ(StateOf(ana_), "opted out");
  EXPECT_FALSE(Control(ana_, CONTROL_ACTION_PAUSE, 2)) << "a replay must not bring it back";
  EXPECT_TRUE(Control(ana_, CONTROL_ACTION_PAUSE, 5));
  EXPECT_EQ(StateOf(ana_), "pausedopted out");
  Forget(ana_, 4);
  EXPECT_EQ(StateOf(ana_), "pausedopted out") << "a repeated deletion leaves what came later";
  Forget(ana_);
  EXPECT_EQ(StateOf(ana_), "opted out");
  EXPECT_FALSE(Control(ana_, CONTROL_ACTION_PAUSE, 5));
  EXPECT_TRUE(Control(ana_, CONTROL_ACTION_PAUSE, 6));
}

TEST_F(ControlTest, ADeletionReachesAHandoffThatIsProjectedLater) {
  Forget(ana_, 5);
  Control(ana_, CONTROL_ACTION_PAUSE, 4);
  EXPECT_EQ(StateOf(ana_), "");
}

TEST_F(ControlTest, ANewIdentityTakesItAlongAndItsOwnRecordsAreLater) {
  Control(ana_, CONTROL_ACTION_PAUSE, 100);
  Control(ana_, CONTROL_ACTION_OPT_OUT, 101);
  Link(ana_, bea_, 1000);
  EXPECT_EQ(StateOf(bea_), "pausedopted out");
  EXPECT_EQ(StateOf(ana_), "pausedopted out") << "the old id leads there";
  EXPECT_TRUE(Control(bea_, CONTROL_ACTION_RESUME, 3)) << "of another partition, and later all the same";
  EXPECT_FALSE(Control(ana_, CONTROL_ACTION_PAUSE, 102)) << "a late one under the old id";
  EXPECT_EQ(StateOf(bea_), "opted out");
  Link(ana_, bea_, 1000);
  EXPECT_EQ(StateOf(bea_), "opted out") << "a repeated link brings nothing back";
}

TEST_F(ControlTest, ContextTellsWhenTheBotAnsweredLast) {
  const auto last_answer = [this](const std::string& turn_id) { return Load(ana_, turn_id).last_answer_at_ms(); };
  EXPECT_EQ(last_answer(TurnIdOf("asking")), 0);
  Append(ana_, TurnAt(1, 1));
  Append(ana_, TurnAt(5, 2));
  EXPECT_EQ(last_answer(TurnIdOf("asking")), TurnAt(5, 2).accepted_at_ms());
  EXPECT_EQ(last_answer(TurnAt(5, 2).turn_id()), TurnAt(1, 1).accepted_at_ms());
  EXPECT_EQ(last_answer(TurnAt(1, 1).turn_id()), 0);
  EXPECT_EQ(Load(ana_, TurnIdOf("asking"), /*tokens_max=*/0).last_answer_at_ms(), TurnAt(5, 2).accepted_at_ms())
      << "whatever history is asked for";
  Forget(ana_);
  EXPECT_EQ(last_answer(TurnIdOf("asking")), 0);
}

TEST_F(ControlTest, WhatTheUserDidNotHearIsNoAnswer) {
  const auto last_answer = [this] { return Load(ana_, TurnIdOf("asking")).last_answer_at_ms(); };
  Append(ana_, TurnAt(1, 1));
  for (int i = 2; i <= 30; ++i) {  // more than are looked at at a time
    v1::HistoryTurn dropped = TurnAt(i, i);
    dropped.clear_reply_text();
    Append(ana_, dropped);
  }
  Append(ana_, TurnAt(31, 31));
  Append(ana_, TurnAt(32, 32));
  EXPECT_EQ(last_answer(), TurnAt(32, 32).accepted_at_ms());
  Set(OutcomeOf(ana_, TurnAt(32, 32).turn_id(), v1::OUTCOME_FAILED));
  Set(OutcomeOf(ana_, TurnAt(31, 31).turn_id(), v1::OUTCOME_SUPERSEDED));
  EXPECT_EQ(last_answer(), TurnAt(1, 1).accepted_at_ms());
}

// The bot that comes back says again what it is.
TEST_F(ControlTest, AfterAHandoffTheBotHasNotAnsweredYet) {
  const auto last_answer = [this] { return Load(ana_, TurnIdOf("asking")).last_answer_at_ms(); };
  Append(ana_, TurnAt(1, 1));
  Control(ana_, CONTROL_ACTION_PAUSE, 2);
  Append(ana_, TurnAt(2, 2));  // "a person comes"
  Control(ana_, CONTROL_ACTION_RESUME, 5);
  EXPECT_EQ(last_answer(), 0);
  Append(ana_, TurnAt(5, 5));  // the answer to the very word that brought it back
  EXPECT_EQ(last_answer(), TurnAt(5, 5).accepted_at_ms());
  Control(ana_, CONTROL_ACTION_OPT_OUT, 6);
  EXPECT_EQ(last_answer(), TurnAt(5, 5).accepted_at_ms()) << "consent is another matter";
  Link(ana_, bea_, 1000);
  EXPECT_EQ(Load(bea_, TurnIdOf("asking")).last_answer_at_ms(), TurnAt(5, 5).accepted_at_ms());
}

TEST_F(ControlTest, AnUnsentMessageLeavesNoWordsAndNoGap) {
  const std::string canary = "canary-4712";
  v1::HistoryTurn turn = TurnAt(2, 2, "you said " + canary);
  turn.set_user_text(canary);
  Append(ana_, TurnAt(1, 1));
  Append(ana_, turn);
  Append(ana_, TurnAt(3, 3));
  EXPECT_TRUE(Unsend(ana_, turn.turn_id()));
  EXPECT_FALSE(Unsend(ana_, turn.turn_id())) << "idempotent";
  EXPECT_THAT(KeysWith(canary), IsEmpty());
  const auto loaded = Load(ana_, TurnIdOf("asking"));
  EXPECT_THAT(OffsetsOf({loaded.history().begin(), loaded.history().end()}), ElementsAre(1, 3));
  EXPECT_THAT(OffsetsOf(Turns(ana_)), ElementsAre(1, 2, 3)) << "what is stored of it has its place";
  EXPECT_EQ(Turns(ana_)[1].user_text() + Turns(ana_)[1].reply_text(), "");
  EXPECT_TRUE(Done(turn.turn_id()));
}

// Goal: no text of an unsent message comes into Redis by any path, in any order.
// Method: every order of all that is projected of it.
TEST_F(ControlTest, NoWordsOfAnUnsentMessageComeLater) {
  const std::string canary = "canary-4713";
  v1::HistoryTurn turn = TurnAt(2, 7, canary);
  turn.set_user_text(canary);
  v1::HistoryTurn first = turn;
  first.set_replies_offset(5);
  std::vector<int> order{0, 1, 2, 3, 4};
  int permutation = 0;
  do {
    const std::string name = "permutation " + std::to_string(permutation++);
    const auto user = Conversation(name);
    const auto moved = Conversation(name + " moved");
    v1::SetOutcomeRequest outcome = OutcomeOf(user, turn.turn_id(), v1::OUTCOME_SENT);
    outcome.set_reply_text(canary);
    outcome.set_replies_offset(6);
    const std::vector<std::function<void()>> writes{[&] { Append(user, turn); }, [&] { Append(user, first); },
                                                    [&] { Set(outcome); }, [&] { Unsend(user, turn.turn_id()); },
                                                    [&] { Link(user, moved, 1000); }};
    for (const int write : order) writes[static_cast<std::size_t>(write)]();
    const auto turns = Turns(user);
    ASSERT_EQ(turns.size(), 1u);
    EXPECT_EQ(turns[0].replies_offset(), 5);
    EXPECT_EQ(turns[0].outcome(), v1::OUTCOME_SENT);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_THAT(KeysWith(canary), IsEmpty());
}

TEST_F(ControlTest, AMessageThatWasUnsentBeforeItIsAnsweredSaysSo) {
  Unsend(ana_, TurnIdOf("hasty"));
  EXPECT_TRUE(Load(ana_, TurnIdOf("hasty")).unsent());
  EXPECT_FALSE(Load(ana_, TurnIdOf("asking")).unsent());
  Link(ana_, bea_, 1000);
  EXPECT_TRUE(Load(bea_, TurnIdOf("hasty")).unsent());
  Forget(bea_);
  EXPECT_TRUE(Load(bea_, TurnIdOf("hasty")).unsent()) << "it may still be on its way";
}

TEST_F(ControlTest, EverythingExpires) {
  Append(ana_, TurnAt(1, 1));
  Control(ana_, CONTROL_ACTION_OPT_OUT, 1);
  Control(bea_, CONTROL_ACTION_PAUSE, 1);
  Unsend(bea_, TurnIdOf("hasty"));
  Forget(Conversation("cyd"), 1);
  for (const redis::Reply& key : Redis({"KEYS", "*"}).elements) {
    EXPECT_GT(Redis({"TTL", key.text}).integer, 8 * 24 * 3600) << key.text;
  }
}

}  // namespace
}  // namespace session
