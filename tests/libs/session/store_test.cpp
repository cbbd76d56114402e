// The projection's rules, against a real redis-server.
#include "libs/session/store.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "tests/libs/session/session_fixture.h"

namespace session {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class StoreTest : public StoreFixture {
 protected:
  const mesh::bus::v1::ConversationId ana_ = Conversation("ana");
};

TEST_F(StoreTest, TurnComesBackAsItWasWritten) {
  v1::HistoryTurn turn = TurnAt(7, 11);
  turn.set_user_text(std::string("\xc3\xa9 \xf0\x9f\x98\x80 a\0b", 11));
  turn.set_outcome(v1::OUTCOME_SENT);
  EXPECT_TRUE(Append(ana_, turn));
  const auto turns = Turns(ana_);
  ASSERT_EQ(turns.size(), 1u);
  EXPECT_EQ(turns[0].SerializeAsString(), turn.SerializeAsString());
}

TEST_F(StoreTest, FirstRecordInTheLogIsWhatWasSaidInWhateverOrderWritersCome) {
  std::vector<std::int64_t> offsets{3, 5, 8, 9};
  int permutation = 0;
  do {
    const auto conversation = Conversation("permutation " + std::to_string(permutation++));
    std::int64_t lowest = offsets[0] + 1;
    for (const std::int64_t offset : offsets) {
      const bool applied = Append(conversation, TurnAt(1, offset, "said at " + std::to_string(offset)));
      EXPECT_EQ(applied, offset < lowest) << "a later record of the turn must not replace an earlier one";
      lowest = std::min(lowest, offset);
    }
    const auto turns = Turns(conversation);
    ASSERT_EQ(turns.size(), 1u);
    EXPECT_EQ(turns[0].reply_text(), "said at 3");
    EXPECT_EQ(turns[0].replies_offset(), 3);
  } while (std::next_permutation(offsets.begin(), offsets.end()));
  EXPECT_EQ(permutation, 24);
}

TEST_F(StoreTest, SameRecordTwiceIsAppliedTwiceAndStoredOnce) {
  EXPECT_TRUE(Append(ana_, TurnAt(1, 3)));
  EXPECT_TRUE(Append(ana_, TurnAt(1, 3)));
  EXPECT_EQ(Turns(ana_).size(), 1u);
}

TEST_F(StoreTest, RequeuedTurnReplacesItsEarlierGenerationWhateverTheOffsets) {
  v1::HistoryTurn notice = TurnAt(1, 3, "notice");
  notice.set_outcome(v1::OUTCOME_FAILED);
  v1::HistoryTurn answer = TurnAt(1, 99, "answer");
  answer.set_generation(1);
  EXPECT_TRUE(Append(ana_, notice));
  EXPECT_TRUE(Append(ana_, answer));
  EXPECT_FALSE(Append(ana_, notice));
  const auto turns = Turns(ana_);
  ASSERT_EQ(turns.size(), 1u);
  EXPECT_EQ(turns[0].reply_text(), "answer");
  EXPECT_EQ(turns[0].outcome(), v1::OUTCOME_UNSPECIFIED) << "the outcome belonged to the earlier generation";
}

TEST_F(StoreTest, HistoryIsOrderedByTurnsOffsetNotByArrival) {
  for (const std::int64_t at : {5, 1, 9, 3}) Append(ana_, TurnAt(at, 100 - at));
  EXPECT_THAT(OffsetsOf(Turns(ana_)), ElementsAre(1, 3, 5, 9));
  EXPECT_THAT(OffsetsOf(Turns(ana_, 2)), ElementsAre(5, 9)) << "the newest, oldest first";
}

// A webhook that was retried while Redis had forgotten that its turn was finished: both records of it are projected.
TEST_F(StoreTest, ATurnThatStandsTwiceInTheLogKeepsItsFirstPlaceInAnyOrder) {
  const v1::HistoryTurn first = TurnAt(1, 10);
  v1::HistoryTurn second = first;
  second.set_turns_offset(8);
  second.set_replies_offset(20);
  for (const bool first_comes_first : {true, false}) {
    SCOPED_TRACE(first_comes_first);
    const auto user = Conversation(first_comes_first ? "bea" : "cyd");
    v1::SetOutcomeRequest words_of_the_first = OutcomeOf(user, first.turn_id(), v1::OUTCOME_SENT);
    words_of_the_first.set_reply_text(first.reply_text());
    words_of_the_first.set_replies_offset(first.replies_offset());
    Append(user, TurnAt(5, 12));
    Append(user, first_comes_first ? first : second);
    Set(words_of_the_first);
    Append(user, first_comes_first ? second : first);
    EXPECT_THAT(OffsetsOf(Turns(user)), ElementsAre(1, 5));
  }
}

TEST_F(StoreTest, ContextHoldsWholeTurnsNewestFirstWithinTheBudget) {
  for (std::int64_t at = 1; at <= 4; ++at) Append(ana_, TurnAt(at, at));  // 30 tokens each
  const std::string asking = TurnIdOf("asking");
  const auto offsets = [&](std::int32_t tokens_max) {
    const auto loaded = Load(ana_, asking, tokens_max);
    return OffsetsOf({loaded.history().begin(), loaded.history().end()});
  };
  EXPECT_THAT(offsets(120), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(offsets(119), ElementsAre(2, 3, 4));
  EXPECT_THAT(offsets(60), ElementsAre(3, 4));
  EXPECT_THAT(offsets(29), IsEmpty());
  EXPECT_THAT(offsets(0), IsEmpty());
}

// Goal: a message longer than the whole budget, pasted once, does not make the model forget the conversation.
TEST_F(StoreTest, ATurnLargerThanTheWholeBudgetIsCutAndHidesNothing) {
  Append(ana_, TurnAt(1, 1));
  v1::HistoryTurn pasted = TurnAt(2, 2, "a short answer");
  std::string words;
  while (words.size() < 5000) words += "\xC3\xA9";
  pasted.set_user_text(words);
  pasted.set_user_tokens(2500);
  Append(ana_, pasted);
  Append(ana_, TurnAt(3, 3));
  const auto loaded = Load(ana_, TurnIdOf("asking"), 400);
  ASSERT_THAT(OffsetsOf({loaded.history().begin(), loaded.history().end()}), ElementsAre(1, 2, 3));
  const v1::HistoryTurn& cut = loaded.history(1);
  EXPECT_EQ(cut.reply_text(), "a short answer");
  EXPECT_TRUE(cut.user_text().starts_with("\xC3\xA9\xC3\xA9"));
  EXPECT_TRUE(cut.user_text().ends_with("\xC3\xA9\xE2\x80\xA6")) << "whole characters, and a sign that more was said";
  EXPECT_LE(cut.user_text().size() + 8, static_cast<std::size_t>(cut.user_tokens())) << "a token is at least a byte";
  EXPECT_LE(cut.user_tokens() + cut.reply_tokens(), 185) << "half of what the newest turn left";
  EXPECT_EQ(Turns(ana_)[1].user_text(), words) << "what is stored stays whole";
}

TEST_F(StoreTest, AReplyLargerThanTheWholeBudgetIsCutBesideItsQuestion) {
  Append(ana_, TurnAt(1, 1));
  v1::HistoryTurn told = TurnAt(2, 2, std::string(5000, 'x'));
  told.set_reply_tokens(1200);
  Append(ana_, told);
  const auto loaded = Load(ana_, TurnIdOf("asking"), 400);
  ASSERT_THAT(OffsetsOf({loaded.history().begin(), loaded.history().end()}), ElementsAre(1, 2));
  EXPECT_EQ(loaded.history(1).user_text(), "question 2");
  EXPECT_EQ(loaded.history(1).reply_text(), std::string(85, 'x') + "\xE2\x80\xA6");
  EXPECT_EQ(loaded.history(1).reply_tokens(), 100);
}

TEST_F(StoreTest, ALongQuestionWhoseAnswerNobodySawIsCutWithoutIt) {
  Append(ana_, TurnAt(1, 1));
  v1::HistoryTurn lost = TurnAt(2, 2, std::string(5000, 'x'));
  lost.set_user_text(std::string(5000, 'q'));
  lost.set_user_tokens(1200);
  lost.set_reply_tokens(1200);
  Append(ana_, lost);
  Set(OutcomeOf(ana_, lost.turn_id(), v1::OUTCOME_FAILED));
  const auto loaded = Load(ana_, TurnIdOf("asking"), 400);
  ASSERT_THAT(OffsetsOf({loaded.history().begin(), loaded.history().end()}), ElementsAre(1, 2));
  EXPECT_EQ(loaded.history(1).reply_text(), "");
  EXPECT_EQ(loaded.history(1).user_tokens(), 200);
}

TEST_F(StoreTest, ContextHasNoHoleWhereATurnDidNotFit) {
  Append(ana_, TurnAt(1, 1));
  v1::HistoryTurn long_turn = TurnAt(2, 2);
  long_turn.set_reply_tokens(1000);
  Append(ana_, long_turn);
  Append(ana_, TurnAt(3, 3));
  const auto loaded = Load(ana_, TurnIdOf("asking"), 100);
  EXPECT_THAT(OffsetsOf({loaded.history().begin(), loaded.history().end()}), ElementsAre(3));
}

TEST_F(StoreTest, RepliesTheUserNeverSawAreLeftOutOfTheContextButNotTheQuestion) {
  Append(ana_, TurnAt(1, 1));
  Append(ana_, TurnAt(2, 2));
  Append(ana_, TurnAt(3, 3));
  Set(OutcomeOf(ana_, TurnAt(1, 1).turn_id(), v1::OUTCOME_FAILED));
  Set(OutcomeOf(ana_, TurnAt(2, 2).turn_id(), v1::OUTCOME_SUPERSEDED));
  Set(OutcomeOf(ana_, TurnAt(3, 3).turn_id(), v1::OUTCOME_READ));
  const auto loaded = Load(ana_, TurnIdOf("asking"), 10 + 10 + 30);
  ASSERT_EQ(loaded.history_size(), 3) << "unseen replies cost no tokens";
  EXPECT_EQ(loaded.history(0).user_text(), "question 1");
  EXPECT_EQ(loaded.history(0).reply_text(), "");
  EXPECT_EQ(loaded.history(1).reply_text(), "");
  EXPECT_EQ(loaded.history(2).reply_text(), "answer 3");
}

TEST_F(StoreTest, TurnIsDoneOnceAppendedAndKnowsItselfNotAsItsOwnContext) {
  const std::string turn_id = TurnAt(1, 1).turn_id();
  EXPECT_FALSE(Load(ana_, turn_id).done());
  EXPECT_FALSE(Done(turn_id));
  Append(ana_, TurnAt(1, 1));
  const auto loaded = Load(ana_, turn_id);
  EXPECT_TRUE(loaded.done());
  EXPECT_EQ(loaded.history_size(), 0);
  EXPECT_TRUE(Done(turn_id));
  EXPECT_FALSE(Done(TurnIdOf("another")));
}

// Chaos, FAULTS=broker: a worker died between a withdrawal and its projection, and the turn counted as finished.
TEST_F(StoreTest, NoOutcomeMakesATurnDoneItsWordsAreStillToBeAppended) {
  for (const v1::Outcome outcome : {v1::OUTCOME_SENT, v1::OUTCOME_SUPERSEDED, v1::OUTCOME_FAILED}) {
    const std::string turn_id = TurnIdOf(std::to_string(outcome));
    Set(OutcomeOf(ana_, turn_id, outcome));
    EXPECT_FALSE(Done(turn_id)) << outcome;
    EXPECT_FALSE(Load(ana_, turn_id).done()) << outcome;
  }
}

TEST_F(StoreTest, OutcomesMoveForwardOnlyInWhateverOrderTheyArrive) {
  std::vector<v1::Outcome> outcomes{v1::OUTCOME_SENT, v1::OUTCOME_DELIVERED, v1::OUTCOME_READ};
  std::sort(outcomes.begin(), outcomes.end());
  int permutation = 0;
  do {
    for (const bool append_first : {true, false}) {
      const auto conversation = Conversation("outcomes " + std::to_string(permutation++));
      if (append_first) Append(conversation, TurnAt(1, 1));
      for (const v1::Outcome outcome : outcomes) Set(OutcomeOf(conversation, TurnAt(1, 1).turn_id(), outcome));
      if (!append_first) Append(conversation, TurnAt(1, 1));
      ASSERT_EQ(Turns(conversation).size(), 1u);
      EXPECT_EQ(Turns(conversation)[0].outcome(), v1::OUTCOME_READ);
    }
  } while (std::next_permutation(outcomes.begin(), outcomes.end()));
  EXPECT_EQ(permutation, 12);
}

TEST_F(StoreTest, FailedAndSupersededAreFinal) {
  for (const v1::Outcome final_outcome : {v1::OUTCOME_FAILED, v1::OUTCOME_SUPERSEDED}) {
    const auto conversation = Conversation("final " + std::to_string(final_outcome));
    Append(conversation, TurnAt(1, 1));
    for (const v1::Outcome outcome : {v1::OUTCOME_SENT, final_outcome, v1::OUTCOME_DELIVERED, v1::OUTCOME_READ,
                                      v1::OUTCOME_FAILED, v1::OUTCOME_SUPERSEDED}) {
      Set(OutcomeOf(conversation, TurnAt(1, 1).turn_id(), outcome));
    }
    EXPECT_EQ(Turns(conversation)[0].outcome(), final_outcome);
  }
}

TEST_F(StoreTest, OutcomeBeforeItsTurnWaitsForIt) {
  Set(OutcomeOf(ana_, TurnAt(1, 1).turn_id(), v1::OUTCOME_DELIVERED));
  EXPECT_THAT(Turns(ana_), IsEmpty());
  Append(ana_, TurnAt(1, 1));
  EXPECT_EQ(Turns(ana_)[0].outcome(), v1::OUTCOME_DELIVERED);
}

TEST_F(StoreTest, OutcomesWithoutATurnAreBoundedAndTheOldestGoes) {
  const std::string first = TurnIdOf("early 0");
  for (int i = 0; i < 40; ++i) Set(OutcomeOf(ana_, TurnIdOf("early " + std::to_string(i)), v1::OUTCOME_SENT));
  const auto keys = Redis({"KEYS", "mesh:s:*:e"});
  ASSERT_EQ(keys.elements.size(), 1u);
  EXPECT_EQ(Redis({"HLEN", keys.elements[0].text}).integer, 32);
  EXPECT_EQ(Redis({"HEXISTS", keys.elements[0].text, TurnIdOf("early 39")}).integer, 1);
}

TEST_F(StoreTest, OldestTurnsFallOffAndStayAwayWhenReplayed) {
  options_.history_turns_max = 3;
  MakeStore();
  for (std::int64_t at = 1; at <= 5; ++at) EXPECT_TRUE(Append(ana_, TurnAt(at, at)));
  EXPECT_THAT(OffsetsOf(Turns(ana_)), ElementsAre(3, 4, 5));
  EXPECT_FALSE(Append(ana_, TurnAt(1, 1)));
  EXPECT_THAT(OffsetsOf(Turns(ana_)), ElementsAre(3, 4, 5));
  EXPECT_TRUE(Done(TurnAt(1, 1).turn_id()));
}

TEST_F(StoreTest, BytesAreBoundedAndTheNewestTurnAlwaysStays) {
  options_.history_bytes_max = 1024;
  MakeStore();
  const auto with_text = [](std::int64_t at, std::size_t bytes) { return TurnAt(at, at, std::string(bytes, 'x')); };
  Append(ana_, with_text(1, 400));
  Append(ana_, with_text(2, 400));
  EXPECT_THAT(OffsetsOf(Turns(ana_)), ElementsAre(1, 2));
  Append(ana_, with_text(3, 400));
  EXPECT_THAT(OffsetsOf(Turns(ana_)), ElementsAre(2, 3));
  Append(ana_, with_text(4, 60000));
  EXPECT_THAT(OffsetsOf(Turns(ana_)), ElementsAre(4));
}

// Goal: what remains is a function of the log, not of the order of writes (invariant I5).
TEST_F(StoreTest, TrimmedHistoryIsTheSameForEveryOrderOfWrites) {
  options_.history_turns_max = 3;
  options_.history_bytes_max = 1024;
  MakeStore();
  std::vector<std::int64_t> order{1, 2, 3, 4, 5};
  int permutation = 0;
  do {
    const auto conversation = Conversation("order " + std::to_string(permutation++));
    for (const std::int64_t at : order) Append(conversation, TurnAt(at, at, std::string(at == 3 ? 500 : 100, 'x')));
    EXPECT_THAT(OffsetsOf(Turns(conversation)), ElementsAre(3, 4, 5)) << "permutation " << permutation;
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(StoreTest, EveryKeyExpires) {
  Append(ana_, TurnAt(1, 1));
  Set(OutcomeOf(ana_, TurnIdOf("early"), v1::OUTCOME_SENT));
  Link(Conversation("old"), Conversation("new"), 5);
  Forget(Conversation("gone"), 17);
  const auto keys = Redis({"KEYS", "*"});
  EXPECT_GE(keys.elements.size(), 7u);
  for (const redis::Reply& key : keys.elements) {
    EXPECT_GT(Redis({"TTL", key.text}).integer, 0) << key.text;
  }
}

TEST_F(StoreTest, TenantsNeverMeet) {
  const auto other = Conversation("ana", "other tenant");
  Append(ana_, TurnAt(1, 1, "of the first"));
  v1::HistoryTurn turn = TurnAt(1, 1, "of the second");
  Append(other, turn);
  EXPECT_EQ(Turns(ana_)[0].reply_text(), "of the first");
  EXPECT_EQ(Turns(other)[0].reply_text(), "of the second");
  Forget(ana_);
  EXPECT_THAT(Turns(ana_), IsEmpty());
  EXPECT_EQ(Turns(other).size(), 1u);
}

TEST_F(StoreTest, ForgottenTurnsStayAwayWhenReplayedAndStayDone) {
  for (std::int64_t at = 1; at <= 3; ++at) Append(ana_, TurnAt(at, at));
  EXPECT_EQ(Forget(ana_), 3);
  EXPECT_EQ(Forget(ana_), 0) << "idempotent";
  for (std::int64_t at = 1; at <= 3; ++at) EXPECT_FALSE(Append(ana_, TurnAt(at, at)));
  EXPECT_THAT(Turns(ana_), IsEmpty());
  EXPECT_TRUE(Load(ana_, TurnAt(2, 2).turn_id()).done());
  EXPECT_TRUE(Append(ana_, TurnAt(4, 4))) << "the conversation goes on afterwards";
  EXPECT_THAT(OffsetsOf(Turns(ana_)), ElementsAre(4));
}

TEST_F(StoreTest, ForgetReachesTurnsStillOnTheirWay) {
  Append(ana_, TurnAt(1, 1));
  Forget(ana_, 5);
  EXPECT_FALSE(Append(ana_, TurnAt(5, 2)));
  EXPECT_TRUE(Append(ana_, TurnAt(6, 3)));
}

// A rebuild repeats deletions of days ago: what was said since must stay.
TEST_F(StoreTest, ForgetUpToAnOffsetLeavesWhatWasSaidLater) {
  for (std::int64_t at = 1; at <= 3; ++at) Append(ana_, TurnAt(at, at));
  EXPECT_EQ(Forget(ana_, 2), 2);
  EXPECT_THAT(OffsetsOf(Turns(ana_)), ElementsAre(3));
  v1::SetOutcomeRequest early = OutcomeOf(ana_, TurnAt(4, 4).turn_id(), v1::OUTCOME_SENT);
  Set(early);
  EXPECT_EQ(Forget(ana_, 2), 0) << "idempotent";
  EXPECT_EQ(Forget(ana_, 1), 0) << "an earlier deletion";
  EXPECT_FALSE(Append(ana_, TurnAt(2, 2)));
  Append(ana_, TurnAt(4, 4));
  EXPECT_THAT(OffsetsOf(Turns(ana_)), ElementsAre(3, 4));
  EXPECT_EQ(Turns(ana_)[1].outcome(), v1::OUTCOME_SENT) << "what waited for its turn is kept by a repetition";
}

// Goal: no text of a forgotten conversation is left in, or comes back into, Redis by any path.
TEST_F(StoreTest, ForgottenTextIsNowhereInRedis) {
  const std::string canary = "canary-4711";
  Append(ana_, TurnAt(1, 5, canary));
  v1::SetOutcomeRequest early = OutcomeOf(ana_, TurnAt(2, 6).turn_id(), v1::OUTCOME_SENT);
  early.set_reply_text(canary);
  early.set_replies_offset(6);
  Set(early);
  Forget(ana_, 2);
  Append(ana_, TurnAt(1, 5, canary));
  Set(early);
  Append(ana_, TurnAt(2, 7, canary));
  Set(early);
  for (const redis::Reply& key : Redis({"KEYS", "*"}).elements) {
    const auto dumped = Redis({"DUMP", key.text});
    EXPECT_EQ(dumped.text.find(canary), std::string::npos) << key.text;
  }
}

TEST_F(StoreTest, NewIdentityTakesTheHistoryAndTheOldOneLeadsThere) {
  const auto bea = Conversation("bea");
  Append(ana_, TurnAt(100, 1));
  Append(ana_, TurnAt(101, 2));
  EXPECT_EQ(Link(ana_, bea, 1000).turns_moved(), 2);
  Append(bea, TurnAt(3, 1));  // a partition of its own: offsets are smaller, and the turn is newer all the same
  EXPECT_THAT(OffsetsOf(Turns(bea)), ElementsAre(100, 101, 3));
  EXPECT_EQ(Load(ana_, TurnIdOf("asking")).canonical().user(), "bea");
  EXPECT_EQ(Load(ana_, TurnIdOf("asking")).history_size(), 3);
  Append(ana_, TurnAt(102, 3));  // a late one under the old id
  Set(OutcomeOf(ana_, TurnAt(101, 2).turn_id(), v1::OUTCOME_READ));
  EXPECT_THAT(OffsetsOf(Turns(bea)), ElementsAre(100, 101, 102, 3));
  EXPECT_EQ(Turns(bea)[1].outcome(), v1::OUTCOME_READ);
}

TEST_F(StoreTest, LinkMaybeRepeatedAndOlderChangesAreIgnored) {
  const auto bea = Conversation("bea");
  Append(ana_, TurnAt(1, 1));
  EXPECT_TRUE(Link(ana_, bea, 1000).applied());
  EXPECT_TRUE(Link(ana_, bea, 1000).applied());
  EXPECT_EQ(Turns(bea).size(), 1u);
  EXPECT_TRUE(Link(bea, ana_, 2000).applied()) << "the user takes the old number back";
  EXPECT_FALSE(Link(ana_, bea, 1000).applied()) << "a replay of the first change";
  EXPECT_EQ(Load(bea, TurnIdOf("asking")).canonical().user(), "ana");
  EXPECT_EQ(Load(ana_, TurnIdOf("asking")).canonical().user(), "ana");
  EXPECT_EQ(Turns(ana_).size(), 1u);
}

// Goal: whatever the changes and their order, following them ends (a ring would make every call Internal), and the turn
// is still reached from somewhere.
TEST_F(StoreTest, RingsOfIdentityChangesCannotArise) {
  const auto bea = Conversation("bea");
  const auto cleo = Conversation("cleo");
  Append(ana_, TurnAt(1, 1));
  std::vector<std::pair<const mesh::bus::v1::ConversationId*, const mesh::bus::v1::ConversationId*>> changes{
      {&ana_, &bea}, {&bea, &cleo}, {&cleo, &ana_}};
  std::vector<int> order{0, 1, 2};
  do {
    Redis({"FLUSHALL"});
    Append(ana_, TurnAt(1, 1));
    for (const int i : order) {
      Link(*changes[static_cast<std::size_t>(i)].first, *changes[static_cast<std::size_t>(i)].second, 1000);
    }
    EXPECT_GE(Turns(ana_).size() + Turns(bea).size() + Turns(cleo).size(), 1u);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_F(StoreTest, ForgetFollowsTheIdentity) {
  const auto bea = Conversation("bea");
  Append(ana_, TurnAt(1, 1));
  Link(ana_, bea, 1000);
  Append(bea, TurnAt(2, 1));
  EXPECT_EQ(Forget(ana_), 2);
  EXPECT_FALSE(Append(ana_, TurnAt(1, 1)));
  EXPECT_THAT(Turns(bea), IsEmpty());
}

TEST_F(StoreTest, ForgottenHistoryStaysForgottenUnderANewIdentity) {
  const auto bea = Conversation("bea");
  Append(ana_, TurnAt(1, 1));
  Forget(ana_);
  Link(ana_, bea, 1000);
  EXPECT_FALSE(Append(ana_, TurnAt(1, 1)));
  EXPECT_TRUE(Append(bea, TurnAt(1, 1)));
}

TEST_F(StoreTest, ScriptsAreLoadedAgainAfterTheServerForgotThem) {
  Append(ana_, TurnAt(1, 1));
  Redis({"SCRIPT", "FLUSH", "SYNC"});
  Append(ana_, TurnAt(2, 2));
  Redis({"SCRIPT", "FLUSH", "SYNC"});
  EXPECT_EQ(Load(ana_, TurnIdOf("asking")).history_size(), 2);
}

TEST_F(StoreTest, IsDoneAnswersAThousandIdsInTheirOrder) {
  v1::IsDoneRequest request;
  for (int i = 0; i < 1000; ++i) {
    request.add_turn_ids(TurnAt(i + 1, i + 1).turn_id());
    if (i % 3 == 0) Append(ana_, TurnAt(i + 1, i + 1));
  }
  const auto response = store_->IsDone(request, Soon());
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->done_size(), 1000);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(response->done(i), i % 3 == 0) << i;
}

TEST_F(StoreTest, DoneShardIsSearchedByWholeEntries) {
  options_.done_shards = 1;
  MakeStore();
  const std::string second = TurnAt(2, 2).turn_id();
  Append(ana_, TurnAt(1, 1));
  Append(ana_, TurnAt(2, 2));
  const auto keys = Redis({"KEYS", "mesh:d:{0}:*"});
  ASSERT_EQ(keys.elements.size(), 1u);
  const std::string packed = Redis({"GET", keys.elements[0].text}).text;
  ASSERT_EQ(packed.size(), 32u);
  EXPECT_FALSE(Done(packed.substr(7, 16) + second.substr(16))) << "bytes of two neighbours are no digest";
  EXPECT_TRUE(Done(second));
}

// Goal: an entry is found in every string of the ring and not written again, and its string outlives 8 days.
TEST_F(StoreTest, DoneTurnIsKnownForEightDaysWhicheverStringHoldsIt) {
  options_.done_shards = 1;
  MakeStore();
  const std::string turn_id = TurnAt(1, 1).turn_id();
  Append(ana_, TurnAt(1, 1));
  std::string key = Redis({"KEYS", "mesh:d:{0}:*"}).elements[0].text;
  EXPECT_GT(Redis({"TTL", key}).integer, 8 * 24 * 3600);
  EXPECT_LT(Redis({"TTL", key}).integer, 9 * 24 * 3600);
  for (const std::string string : {"0", "1", "2", "3", "4", "5"}) {
    const std::string next = "mesh:d:{0}:" + string;
    if (next != key) Redis({"RENAME", key, next});
    key = next;
    EXPECT_TRUE(Done(turn_id)) << next;
    Append(ana_, TurnAt(1, 1));
    EXPECT_EQ(Redis({"KEYS", "mesh:d:{0}:*"}).elements.size(), 1u);
  }
}

TEST_F(StoreTest, RecordOfAnUnknownVersionIsDataLossAndSaysSo) {
  Append(ana_, TurnAt(1, 1));
  const std::string key = Redis({"KEYS", "mesh:s:*:t"}).elements[0].text;
  std::string record = Redis({"HGET", key, TurnAt(1, 1).turn_id()}).text;
  record[0] = 9;
  Redis({"HSET", key, TurnAt(1, 1).turn_id(), record});
  v1::GetSessionRequest request;
  *request.mutable_conversation() = ana_;
  EXPECT_TRUE(absl::IsDataLoss(store_->GetSession(request, Soon()).status()));
}

}  // namespace
}  // namespace session
