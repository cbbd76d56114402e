// Replies of an account that cannot send: they move to `parked`, and come back once, in order and first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "tests/services/sender/send_lane_fixture.h"

namespace sender {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class ParkedReplyTest : public SendLaneTest {
 protected:
  ParkedReplyTest() { TokenDies(world_); }

  // The token in use is refused from now on.
  static void TokenDies(World& world, GraphBehaviour otherwise = GraphBehaviour::kAccept) {
    world.graph = [&world, otherwise, dead = std::string(world.account.access_token.Reveal())](int) {
      return world.account.access_token.Reveal() == dead ? GraphBehaviour::kPark : otherwise;
    };
  }
  static void RenewToken(World& world) {
    static int number = 0;
    world.account.access_token = crypto::Secret("renewed-" + std::to_string(++number));
  }
  bool RunUntilNothingIsLeft(base::Duration limit = std::chrono::hours(2)) {
    return world_.RunUntil([&] { return world_.NothingLeft(); }, limit);
  }
};

TEST_F(ParkedReplyTest, TheyMoveToParkedAndMakeRoomForOthers) {
  Process& process = world_.StartOwner();
  for (const char* turn : {"t1", "t2", "t3"}) world_.Say("ann", turn, turn);
  world_.Say("bob", "t4", "t4");
  ASSERT_TRUE(RunToEnd(seconds(10))) << "nothing of them is left in the window";
  ASSERT_EQ(world_.parked.size(), 4u);
  for (const bus::Record& copy : world_.parked) {
    EXPECT_EQ(bus::FindHeader(copy.headers, kParkReasonHeader), "account");
    EXPECT_EQ(copy.value, world_.replies.at(static_cast<std::size_t>(copy.offset)).value) << "whole";
  }
  const std::string shape = LedgerShape();
  EXPECT_EQ(std::count(shape.begin(), shape.end(), 'P'), 2) << "the first of each user, which found the token dead";
  EXPECT_EQ(world_.posts, 2);
  process.core().Tick();
  EXPECT_EQ(process.metrics().parked_waiting.Value(), 4);
  EXPECT_EQ(process.metrics().parked_accounts.Value(), 1);
  EXPECT_EQ(process.metrics().parked_replies.at("account").Value(), 4);
}

// Code 0 is Meta's too, and the operator was told to correct graph_base_url first.
TEST_F(ParkedReplyTest, TheOperatorIsToldWhatToDo) {
  world_.StartOwner();
  world_.Say("ann", "t1", "t1");
  testing::internal::CaptureStderr();
  ASSERT_TRUE(RunToEnd(seconds(10)));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("account_parked"), std::string::npos) << log;
  EXPECT_NE(log.find("write a new token to the account's access_token_file"), std::string::npos) << log;
  EXPECT_EQ(log.find("graph_base_url"), std::string::npos) << log;
}

TEST_F(ParkedReplyTest, TheyComeBackInOrderAndFirstWhateverFollowsMeanwhile) {
  Process& process = world_.StartOwner();
  world_.Say("ann", "t1", "one|two");
  world_.Say("ann", "t2", "three");
  world_.Say("bob", "t3", "for bob");
  world_.RunFor(minutes(20));
  EXPECT_THAT(world_.shown, IsEmpty());
  EXPECT_THAT(world_.dead_letters, IsEmpty()) << "longer than any deadline, and nothing is given up";
  EXPECT_LE(world_.posts, 3 + 20 * 2) << "one probe every 30 s, not a storm";
  RenewToken(world_);
  for (int i = 0; i < 40; ++i) {
    world_.Say("ann", "f" + std::to_string(i), "follows " + std::to_string(i));
    world_.RunFor(milliseconds(100));
  }
  ASSERT_TRUE(RunUntilNothingIsLeft(seconds(30)));
  const auto texts = world_.TextsOf("ann");
  ASSERT_EQ(texts.size(), 43u);
  EXPECT_THAT(std::vector<std::string>(texts.begin(), texts.begin() + 3), ElementsAre("one", "two", "three"));
  for (int i = 0; i < 40; ++i) EXPECT_EQ(texts[static_cast<std::size_t>(i) + 3], "follows " + std::to_string(i));
  EXPECT_THAT(world_.TextsOf("bob"), ElementsAre("for bob"));
  EXPECT_GE(process.metrics().returned_replies.Value(), 3);
  for (const char* turn : {"t1", "t2", "t3"}) {
    EXPECT_THAT(world_.OutcomesOf(turn), Contains(mesh::session::v1::OUTCOME_SENT));
  }
  EXPECT_EQ(world_.HistoryTextOf("t1"), "one|two");
}

TEST_F(ParkedReplyTest, WithoutANewTokenOneProbeOpensTheAccount) {
  world_.StartOwner();
  for (int i = 0; i < 100; ++i) world_.Say("u" + std::to_string(i % 7), "t" + std::to_string(i), std::to_string(i));
  world_.RunFor(minutes(5));
  GraphDoes({});  // a bill was paid
  ASSERT_TRUE(RunUntilNothingIsLeft(minutes(2)));
  ASSERT_EQ(world_.shown.size(), 100u);
  for (int user = 0; user < 7; ++user) {
    int last = -1;
    for (const std::string& text : world_.TextsOf("u" + std::to_string(user))) {
      EXPECT_GT(std::stoi(text), last);
      last = std::stoi(text);
    }
  }
}

// The number moved to another tenant, with the token that is refused: theirs cannot send, and the replies of the former
// one end without waiting for that.
TEST_F(ParkedReplyTest, WhatIsLeftOfAFormerTenantDoesNotWaitForTheAccountOfTheNewOne) {
  world_.StartOwner();
  for (int i = 0; i < 60; ++i) world_.Say("u" + std::to_string(i), "t" + std::to_string(i), "words");
  ASSERT_TRUE(RunToEnd(seconds(10)));
  ASSERT_EQ(world_.parked.size(), 60u);
  world_.account.tenant = "other";
  EXPECT_TRUE(RunUntilNothingIsLeft(seconds(3))) << "not one after the other, as those that knock at a closed gate";
  EXPECT_EQ(world_.dead_letters.size(), 60u);
  for (const World::Dead& dead : world_.dead_letters) EXPECT_EQ(dead.reason, bus::DeadLetterReason::kUnknownAccount);
  EXPECT_THAT(world_.shown, IsEmpty());
}

TEST_F(ParkedReplyTest, ATokenThatDiesBetweenTwoPartsParksTheRest) {
  world_.graph = [&](int post) {
    return post > 0 && world_.account.access_token.Reveal() == "token" ? GraphBehaviour::kPark
                                                                       : GraphBehaviour::kAccept;
  };
  world_.StartOwner();
  world_.Say("ann", "t1", "one|two");
  world_.RunFor(minutes(5));
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one"));
  world_.Say("ann", "t2", "three");
  RenewToken(world_);
  ASSERT_TRUE(RunUntilNothingIsLeft());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one", "two", "three"));
}

TEST_F(ParkedReplyTest, AReplyInDoubtWhoseAccountDiesComesBackWithItsDoubt) {
  for (const bool shown : {false, true}) {
    SCOPED_TRACE(shown ? "it was shown" : "it was not shown");
    World world(/*seed=*/1);
    world.statuses_flow = false;
    world.graph = [&](int post) {
      if (post == 0) return shown ? GraphBehaviour::kAcceptAndDrop : GraphBehaviour::kDrop;
      return world.account.access_token.Reveal() == "token" ? GraphBehaviour::kPark : GraphBehaviour::kAccept;
    };
    world.StartOwner();
    world.Say("ann", "t1", "one");
    world.RunFor(seconds(5));
    world.Say("bob", "t2", "two");  // finds the token dead
    world.Say("ann", "t3", "three");
    ASSERT_TRUE(world.RunUntil([&] { return world.AllDone(); }, minutes(5))) << "also the doubtful one is parked";
    if (shown) world.TellStatus(world.shown[0], mesh::bus::v1::DELIVERY_STATE_DELIVERED);
    RenewToken(world);
    ASSERT_TRUE(world.RunUntil([&] { return world.NothingLeft(); }));
    EXPECT_THAT(world.TextsOf("ann"), ElementsAre("one", "three"));
    EXPECT_THAT(world.TextsOf("bob"), ElementsAre("two"));
  }
}

TEST_F(ParkedReplyTest, WithdrawnWhileParkedItIsNotSaidAndHoldsNobodyUp) {
  world_.session_away = true;
  world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two");
  world_.Withdraw("ann", "t1");
  world_.Withdraw("ann", "t2");
  world_.Say("ann", "t3", "three");
  world_.RunFor(minutes(1));
  RenewToken(world_);
  ASSERT_TRUE(world_.RunUntil([&] { return world_.shown.size() == 1; }, seconds(30)));
  world_.session_away = false;
  ASSERT_TRUE(RunUntilNothingIsLeft());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("three"));
  EXPECT_THAT(world_.OutcomesOf("t1"), Contains(mesh::session::v1::OUTCOME_SUPERSEDED));
  EXPECT_THAT(world_.OutcomesOf("t2"), Contains(mesh::session::v1::OUTCOME_SUPERSEDED));
}

TEST_F(ParkedReplyTest, WhatIsRefusedForGoodAfterItsReturnIsADeadLetterAndTheNextIsSaid) {
  world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two");
  world_.RunFor(minutes(1));
  RenewToken(world_);
  bool refused = false;
  world_.graph = [&](int) { return std::exchange(refused, true) ? GraphBehaviour::kAccept : GraphBehaviour::kFail; };
  ASSERT_TRUE(RunUntilNothingIsLeft());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("two"));
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].origin.value, world_.replies[0].value);
  EXPECT_EQ(world_.dead_letters[0].origin.offset, 0) << "the place of its record in `replies`";
  EXPECT_THAT(world_.OutcomesOf("t1"), Contains(mesh::session::v1::OUTCOME_FAILED));
}

// Simulation, seed 1927: the copy was skipped in a fetch, and what stood behind it was said before it.
TEST_F(ParkedReplyTest, ACopyThatAReadPassesOverIsNotOvertaken) {
  world_.StartOwner();
  for (const char* turn : {"t1", "t2", "t3"}) world_.Say("ann", turn, turn);
  world_.Say("bob", "t4", "t4");
  world_.RunFor(minutes(1));
  ASSERT_EQ(world_.parked.size(), 4u);
  for (std::int64_t offset = 0; offset < 4; ++offset) {
    const bus::Record& copy = world_.parked[static_cast<std::size_t>(offset)];
    if (copy.offset == 1) world_.parked_skipped = {offset};  // of t2
  }
  RenewToken(world_);
  ASSERT_TRUE(RunUntilNothingIsLeft());
  EXPECT_TRUE(world_.parked_skipped.empty());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("t1", "t2", "t3"));
  EXPECT_THAT(world_.TextsOf("bob"), ElementsAre("t4"));
}

// Simulation, seed 7018101: a read that was slow and brought nothing was the last one.
TEST_F(ParkedReplyTest, AReadThatIsSlowAndBringsNothingIsFollowedByAnother) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world(seed);
    TokenDies(world);
    world.StartOwner();
    for (const char* turn : {"t1", "t2"}) world.Say("ann", turn, turn);
    world.RunFor(minutes(1));
    ASSERT_EQ(world.parked.size(), 2u);
    world.parked_skipped = {1};
    world.delay_max = seconds(3);
    RenewToken(world);
    ASSERT_TRUE(world.RunUntil([&] { return world.NothingLeft(); }));
    EXPECT_THAT(world.TextsOf("ann"), ElementsAre("t1", "t2"));
  }
}

TEST_F(ParkedReplyTest, ACopyThatIsGoneDoesNotHoldItsConversationUpForEver) {
  world_.StartOwner();  // it is the newest, so nothing behind it ends the read
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two");
  world_.RunFor(minutes(1));
  ASSERT_EQ(world_.parked.size(), 2u);
  world_.parked_gone = {1};
  RenewToken(world_);
  ASSERT_TRUE(RunUntilNothingIsLeft());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one"));
  world_.Say("ann", "t3", "three");
  ASSERT_TRUE(RunUntilNothingIsLeft());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one", "three"));
}

// What no sender would take from `replies` is not taken from `parked` either, and has the same end.
TEST_F(ParkedReplyTest, ACopyOfAForeignTypeIsNotSaid) {
  world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two");
  world_.RunFor(minutes(1));
  ASSERT_EQ(world_.parked.size(), 2u);
  bus::SetHeader(world_.parked[1].headers, "ce_type", "mesh.bus.v2.ReplyRecord");  // the first is in hand already
  RenewToken(world_);
  ASSERT_TRUE(RunUntilNothingIsLeft());
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one"));
  ASSERT_EQ(world_.dead_letters.size(), 1u);
  EXPECT_EQ(world_.dead_letters[0].reason, bus::DeadLetterReason::kUnknownSchema);
  EXPECT_EQ(world_.dead_letters[0].origin.value, world_.parked[1].value);
}

// Goal: a partition that is taken away and comes back while a read of `parked` hangs goes on.
TEST_F(ParkedReplyTest, APartitionThatComesBackWhileAReadHangsTakesItsCopiesBack) {
  Process& process = world_.StartOwner();
  world_.Say("ann", "t1", "one");
  world_.Say("ann", "t2", "two");
  world_.RunFor(minutes(1));
  world_.parked_away = true;
  RenewToken(world_);
  world_.RunFor(seconds(3));
  world_.Revoke(process);
  world_.RunFor(seconds(1));
  world_.Reassign(process);
  world_.RunFor(seconds(4));
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one")) << "it was in hand before";
  world_.parked_away = false;
  ASSERT_TRUE(RunUntilNothingIsLeft(seconds(30)));
  EXPECT_THAT(world_.TextsOf("ann"), ElementsAre("one", "two"));
}

// Goal: a crash anywhere between the first refusal and the last return loses nothing, repeats nothing, keeps the order.
// Method: the same story again and again, killing the sender after one more event each time; the token is renewed
// somewhere in it, before or after.
TEST_F(ParkedReplyTest, KillAfterEveryEventLosesNothingAndRepeatsNothing) {
  for (int events = 1; events < 500; events += 3) {
    SCOPED_TRACE(testing::Message() << "killed after " << events << " events");
    World world(static_cast<std::uint64_t>(events));
    TokenDies(world);
    Process& first = world.StartOwner();
    world.Say("ann", "t1", "one|two");
    world.Say("ann", "t2", "three");
    world.Say("bob", "t3", "four");
    const int renewed_after = static_cast<int>(static_cast<unsigned>(events) * 2654435761u % 500);
    world.RunEvents(std::min(events, renewed_after));
    if (renewed_after < events) {
      RenewToken(world);
      world.Say("ann", "t4", "five");
      world.RunEvents(events - renewed_after);
    }
    world.Kill(first);
    Process& second = world.StartOwner();
    world.RunFor(seconds(3));
    world.Kill(second);
    world.StartOwner();
    if (renewed_after >= events) {
      RenewToken(world);
      world.Say("ann", "t4", "five");
    }
    ASSERT_TRUE(world.RunUntil([&] { return world.NothingLeft(); }));
    ASSERT_THAT(world.TextsOf("ann"), ElementsAre("one", "two", "three", "five"));
    ASSERT_THAT(world.TextsOf("bob"), ElementsAre("four"));
    for (const char* turn : {"t1", "t2", "t3", "t4"}) ASSERT_FALSE(world.OutcomesOf(turn).empty()) << turn;
  }
}

// Goal: a lane of a partition that went and came back within the process writes nothing under its successor's term.
// Method: the partition is taken away and back at any moment while the copy is written; each term parks a reply once.
TEST_F(ParkedReplyTest, ARetiredLaneParksNothingUnderTheTermOfItsSuccessor) {
  for (int events = 1; events < 80; ++events) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(testing::Message() << "revoked after " << events << " events, seed " << seed);
      World world(seed);
      TokenDies(world);
      Process& process = world.StartOwner();
      world.Say("ann", "t1", "one");
      world.RunEvents(events);
      world.Revoke(process);
      world.Reassign(process);
      world.RunFor(seconds(20));
      std::map<std::int64_t, int> parked_in_term;
      for (const auto& record : world.Ledger()) {
        if (!record.has_parked()) continue;
        ASSERT_EQ(++parked_in_term[record.parked().term()], 1);
      }
    }
  }
}

TEST_F(ParkedReplyTest, ADeadLetterOfAReturnedReplyIsWrittenWheneverTheSenderDies) {
  for (int events = 1; events < 120; ++events) {
    SCOPED_TRACE(testing::Message() << "killed after " << events << " events");
    World world(static_cast<std::uint64_t>(events));
    TokenDies(world);
    Process& first = world.StartOwner();
    world.Say("ann", "t1", "one");
    world.RunFor(minutes(1));
    RenewToken(world);
    world.graph = [](int) { return GraphBehaviour::kFail; };
    world.RunEvents(events);
    world.Kill(first);
    world.StartOwner();
    ASSERT_TRUE(world.RunUntil([&] { return world.NothingLeft(); }));
    ASSERT_FALSE(world.dead_letters.empty());
    ASSERT_THAT(world.OutcomesOf("t1"), Contains(mesh::session::v1::OUTCOME_FAILED));
  }
}

}  // namespace
}  // namespace sender
