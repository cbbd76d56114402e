#include "services/worker/attempts.h"

#include <gtest/gtest.h>

namespace worker {
namespace {

using bus::DeadLetterReason;

// What the next owner of the record is told.
Attempts Reread(const Attempts& attempts) { return Attempts::FromNote(attempts.note()); }

TEST(AttemptsTest, ATurnOfWhichNothingIsKnownIsNoSuspectAndHasNoNote) {
  EXPECT_EQ(Attempts().note(), 0u);
  EXPECT_FALSE(Attempts().began());
  EXPECT_EQ(Attempts().tries(), 0u);
  EXPECT_EQ(Reread(Attempts()), Attempts());
}

TEST(AttemptsTest, OneThatWasBegunIsASuspectForTheNextOwner) {
  const Attempts next = Reread(Attempts().Started());
  EXPECT_TRUE(next.began());
  EXPECT_FALSE(next.poison());
  EXPECT_FALSE(next.given_up().has_value());
  EXPECT_EQ(next.tries(), 1u);
}

// Goal: what died with others twice is told from what did so once, whose death may have been anybody's.
TEST(AttemptsTest, OneThatWasBegunWithOthersAgainIsNotClearedASecondTime) {
  EXPECT_FALSE(Attempts().may_be_cleared());
  const Attempts once = Reread(Attempts().Started());
  EXPECT_TRUE(once.may_be_cleared());
  EXPECT_FALSE(once.began_again());
  const Attempts twice = Reread(once.Started());
  EXPECT_TRUE(twice.began_again());
  EXPECT_FALSE(twice.may_be_cleared());
  EXPECT_EQ(twice.tries(), 2u);
  EXPECT_EQ(Reread(twice.StartedAlone().ChildDied()).tries(), 4u);
  EXPECT_TRUE(Reread(twice.ChildDied().ChildDied().ChildDied()).poison());
  EXPECT_FALSE(once.ChildDied().may_be_cleared());
  EXPECT_FALSE(once.StartedAlone().may_be_cleared());
}

TEST(AttemptsTest, TheThirdDeathOfTheChildMakesItPoisonAndNotTheSecond) {
  Attempts known = Reread(Attempts().Started());
  for (int death = 1; death <= kChildDeathsMax; ++death) {
    EXPECT_FALSE(known.poison()) << death;
    known = Reread(known.ChildDied());
    EXPECT_EQ(known.child_deaths(), death);
  }
  EXPECT_TRUE(known.poison());
  EXPECT_EQ(known.tries(), 4u) << "once with others and three times alone";
}

// A worker that is killed while a suspect runs alone says nothing about the suspect, but it cannot go on for ever.
TEST(AttemptsTest, StartsAloneOfWhichNobodySawTheEndCondemnOnlyAfterMany) {
  Attempts known = Reread(Attempts().Started());
  for (int start = 1; start <= kAloneStartsMax; ++start) {
    EXPECT_FALSE(known.poison()) << start;
    known = Reread(known.StartedAlone());
  }
  EXPECT_TRUE(known.poison());
}

TEST(AttemptsTest, EveryReasonToGiveUpIsKeptBesideWhatWasKnown) {
  for (const DeadLetterReason reason : bus::kDeadLetterReasons) {
    const Attempts known = Reread(Attempts().Started().Started().StartedAlone().ChildDied().GivenUp(reason));
    EXPECT_EQ(known.given_up(), reason);
    EXPECT_EQ(known.child_deaths(), 1);
    EXPECT_EQ(known.tries(), 4u);
    EXPECT_LT(known.note(), 1u << 14) << "more does not fit in a note";
  }
}

// From a later version of this code, for example: to run alone is always safe.
TEST(AttemptsTest, ANoteOfAnotherKindMakesASuspect) {
  for (std::uint32_t note = 1; note < 1u << 14; ++note) {
    ASSERT_TRUE(Attempts::FromNote(note).began()) << note;
  }
}

}  // namespace
}  // namespace worker
