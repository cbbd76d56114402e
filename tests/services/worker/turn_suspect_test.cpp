// A turn that an earlier worker began and did not end: it runs alone, and what was decided or said of it holds.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/worker/turn_run.h"
#include "tests/fakes/fake_consumer.h"
#include "tests/integration/harness/wait.h"
#include "tests/services/worker/turn_run_fixture.h"

namespace worker {
namespace {

using std::chrono::seconds;

class TurnSuspectTest : public TurnRunTest {
 protected:
  TurnSuspectTest() : TurnRunTest("turn_suspect_test", "    notice_text: Sorry.\n"), engine_(*UseEndlessEngine()) {
    turn_.set_accepted_at_ms(1'700'000'000'000);
  }

  // The turn as it is read again with what an earlier worker left.
  std::shared_ptr<TurnRun> Start(const Attempts& known, std::promise<bool>& done) {
    note_ = known.note();
    return TurnRun::Start(Context(), Task(), [&done](bool completed) { done.set_value(completed); });
  }
  bool Run(const Attempts& known) {
    std::promise<bool> done;
    const auto run = Start(known, done);
    return Await(done);
  }

  // Kinds and topics of what was written, in order: "answer", "notice", "supersede", "dead-letter:<reason>".
  std::vector<std::string> Written() const {
    std::vector<std::string> written;
    for (const bus::OutgoingRecord& record : producer_.log()) {
      mesh::bus::v1::ReplyRecord reply;
      mesh::bus::v1::DeadLetter letter;
      if (record.topic == "mesh.replies" && reply.ParseFromString(record.value)) {
        const bool is_notice = reply.reply().kind() == mesh::bus::v1::REPLY_KIND_NOTICE;
        written.push_back(reply.has_supersede() ? "supersede" : is_notice ? "notice" : "answer");
      } else if (record.topic == "mesh.dead-letter" && letter.ParseFromString(record.value)) {
        written.push_back("dead-letter:" + letter.reason());
        attempts_written_ = letter.attempts();
        EXPECT_EQ(letter.original_value(), turn_.SerializeAsString());
      } else {
        written.push_back(record.topic);
      }
    }
    return written;
  }
  FirstReply SaidBefore(mesh::bus::v1::ReplyKind kind, const std::string& text) const {
    FirstReply first{.record = {}, .offset = -1};
    first.offset = 0;
    first.record.mutable_reply()->set_turn_id(turn_.turn_id());
    first.record.mutable_reply()->set_kind(kind);
    first.record.mutable_reply()->set_text(text);
    return first;
  }

  using Log = std::vector<std::string>;

  EndlessEngine& engine_;
  mutable std::uint32_t attempts_written_ = 0;
};

TEST_F(TurnSuspectTest, AHarmlessSuspectIsAnsweredByTheChildAndNeverMeetsTheBatch) {
  EXPECT_TRUE(Run(Attempts().Started()));
  EXPECT_EQ(Written(), Log{"answer"});
  ASSERT_EQ(session_.appended.size(), 1u);
  EXPECT_EQ(session_.appended[0].turn().reply_text(), "alone: hello");
  EXPECT_EQ(solo_engine_.runs, 1);
  EXPECT_FALSE(engine_.WaitForSubmissions(1, seconds(0)));
  EXPECT_TRUE(reply_log_.queries.empty()) << "an answer is ignored where another stands before it: no need to ask";
}

TEST_F(TurnSuspectTest, ThreeDeathsOfTheChildSendItToTheDeadLetterAfterANotice) {
  solo_engine_.outcomes = {ScriptedSoloEngine::Died(), ScriptedSoloEngine::Died(), ScriptedSoloEngine::Died()};
  EXPECT_TRUE(Run(Attempts().Started()));
  EXPECT_EQ(Written(), (Log{"notice", "dead-letter:poison"}));
  EXPECT_EQ(attempts_written_, 4u) << "once with others, three times alone";
  EXPECT_EQ(solo_engine_.runs, 3);
  EXPECT_EQ(metrics_.child_deaths.Value(), 3);
  EXPECT_EQ(metrics_.dead_letters.at("poison").Value(), 1);
  ASSERT_EQ(session_.appended.size(), 1u);
  EXPECT_EQ(session_.appended[0].turn().reply_text(), "Sorry.");
}

TEST_F(TurnSuspectTest, TwoDeathsAndAnAnswerAreAnAnswer) {
  solo_engine_.outcomes = {ScriptedSoloEngine::Died(), ScriptedSoloEngine::Died()};
  EXPECT_TRUE(Run(Attempts().Started()));
  EXPECT_EQ(Written(), Log{"answer"});
  EXPECT_EQ(solo_engine_.runs, 3);
}

// Goal: no try is ever lost, whenever the worker dies.
// Method: at each try of the child the journal is looked at, as the next owner would find it.
TEST_F(TurnSuspectTest, EachTryIsInTheJournalBeforeItBegins) {
  solo_engine_.outcomes = {ScriptedSoloEngine::Died(), ScriptedSoloEngine::Died(), ScriptedSoloEngine::Died()};
  std::vector<Attempts> found;
  solo_engine_.on_run = [&] { found.push_back(Attempts::FromNote(consumer_.notes().at(0))); };
  EXPECT_TRUE(Run(Attempts().Started()));
  const Attempts known = Attempts().Started();
  EXPECT_EQ(found, (std::vector<Attempts>{known.StartedAlone(), known.ChildDied().StartedAlone(),
                                          known.ChildDied().ChildDied().StartedAlone()}));
}

TEST_F(TurnSuspectTest, DeathsUnderAnEarlierWorkerCount) {
  solo_engine_.outcomes = {ScriptedSoloEngine::Died()};
  EXPECT_TRUE(Run(Attempts().Started().ChildDied().ChildDied()));
  EXPECT_EQ(Written(), (Log{"notice", "dead-letter:poison"}));
  EXPECT_EQ(solo_engine_.runs, 1);
}

TEST_F(TurnSuspectTest, AChildThatCannotBeStartedBlamesNoTurn) {
  solo_engine_.outcomes = {{.kind = SoloOutcome::Kind::kNotStarted, .how = "no memory"},
                           {.kind = SoloOutcome::Kind::kNotStarted, .how = "no memory"}};
  EXPECT_TRUE(Run(Attempts().Started()));
  EXPECT_EQ(Written(), Log{"answer"});
  EXPECT_EQ(metrics_.child_deaths.Value(), 0);
}

TEST_F(TurnSuspectTest, SuspectsRunOneAtATime) {
  solo_engine_.hold = true;
  std::promise<bool> first_done;
  std::promise<bool> second_done;
  const auto first = Start(Attempts().Started(), first_done);
  turn_.set_text("second");
  const auto second = Start(Attempts().Started(), second_done);
  const auto runs = [&] {
    int count = 0;
    loop_.RunSync([&] { count = solo_engine_.runs; });
    return count;
  };
  ASSERT_TRUE(harness::WaitUntil([&] { return runs() >= 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(runs(), 1) << "the second waits";
  loop_.RunSync([&] {
    solo_engine_.hold = false;
    std::exchange(solo_engine_.held, nullptr)({.kind = SoloOutcome::Kind::kAnswered, .how = {}, .result = [] {
                                                 engine::GenerationResult result;
                                                 result.text = "an answer";
                                                 return result;
                                               }()});
  });
  EXPECT_TRUE(Await(first_done));
  EXPECT_TRUE(Await(second_done));
  EXPECT_EQ(runs(), 2);
}

// The poison of a batch is known: its mates go back to the others, but for one that has killed a child itself.
TEST_F(TurnSuspectTest, MatesOfAPoisonAreClearedOnceItIsKnown) {
  solo_engine_.hold = true;
  std::promise<bool> poison_done;
  std::promise<bool> mate_done;
  std::promise<bool> doubtful_done;
  const auto poison = Start(Attempts().Started().ChildDied().ChildDied(), poison_done);
  int runs = 0;
  while (runs == 0) loop_.RunSync([&] { runs = solo_engine_.runs; });
  const auto mate = Start(Attempts().Started(), mate_done);
  const auto doubtful = Start(Attempts().Started().ChildDied(), doubtful_done);
  std::size_t waiting = 0;
  while (waiting < 2) loop_.RunSync([&] { waiting = solo_queue_.waiting_count(); });
  loop_.RunSync([&] {
    solo_engine_.hold = false;
    std::exchange(solo_engine_.held, nullptr)(ScriptedSoloEngine::Died());
  });
  EXPECT_TRUE(Await(poison_done));
  EXPECT_TRUE(Await(doubtful_done));
  EXPECT_TRUE(engine_.WaitForSubmissions(1)) << "the mate, which this engine never ends";
  loop_.RunSync([&] { mate->Abandon(); });
  EXPECT_FALSE(Await(mate_done));
  EXPECT_EQ(DeadLetterReason(), "poison");
  EXPECT_EQ(solo_engine_.runs, 2) << "the poison and the doubtful one";
}

// A node was lost: a few of its turns are answered alone, and then the others need not wait for one another.
TEST_F(TurnSuspectTest, AfterAFewSurvivorsOfADeathTheOthersMeetTheBatchAndSayInTheJournalThatTheyDoSoAgain) {
  for (int survivor = 0; survivor < kSurvivorsMax; ++survivor) EXPECT_TRUE(Run(Attempts().Started())) << survivor;
  EXPECT_EQ(solo_engine_.runs, kSurvivorsMax);
  std::promise<bool> done;
  const auto mate = Start(Attempts().Started(), done);
  EXPECT_TRUE(engine_.WaitForSubmissions(1));
  EXPECT_EQ(Attempts::FromNote(consumer_.notes().at(0)), Attempts().Started().Started());
  loop_.RunSync([&] { mate->Abandon(); });
  EXPECT_FALSE(Await(done));
  EXPECT_TRUE(Run(Attempts().Started().Started()));
  EXPECT_EQ(solo_engine_.runs, kSurvivorsMax + 1) << "begun at two deaths";
}

TEST_F(TurnSuspectTest, ASuspectThatIsDroppedStopsTheChild) {
  solo_engine_.hold = true;
  std::promise<bool> done;
  const auto run = Start(Attempts().Started(), done);
  int runs = 0;
  while (runs == 0) loop_.RunSync([&] { runs = solo_engine_.runs; });
  loop_.RunSync([&] { run->Drop({DropReason::kSuperseded, "the later turn"}); });
  EXPECT_TRUE(Await(done));
  EXPECT_EQ(Written(), Log{"supersede"});
  EXPECT_EQ(metrics_.child_deaths.Value(), 0);
}

// Bug: the worker wrote the dead letter and died before the notice; the re-run answered, and a dead letter stood beside
// an answer.
TEST_F(TurnSuspectTest, WhatWasGivenUpIsNotAnsweredByTheNextWorker) {
  EXPECT_TRUE(Run(Attempts().Started().GivenUp(bus::DeadLetterReason::kDeadline)));
  EXPECT_EQ(Written(), (Log{"notice", "dead-letter:deadline"}));
  EXPECT_EQ(solo_engine_.runs, 0);
  EXPECT_FALSE(engine_.WaitForSubmissions(1, seconds(0)));
}

// Simulation, seed 313838: the notice stood, a frozen worker woke and projected an answer that came too late, and the
// next owner took the turn for finished: no dead letter stood beside the notice.
TEST_F(TurnSuspectTest, WhatWasGivenUpIsADeadLetterAlsoWhereALateAnswerMadeItDone) {
  session_.context.set_done(true);
  reply_log_.first = SaidBefore(mesh::bus::v1::REPLY_KIND_NOTICE, "Sorry.");
  EXPECT_TRUE(Run(Attempts().Started().GivenUp(bus::DeadLetterReason::kDeadline)));
  EXPECT_EQ(Written(), (Log{"notice", "dead-letter:deadline"}));
}

TEST_F(TurnSuspectTest, TheDecisionIsInTheJournalBeforeAnythingIsWrittenOfIt) {
  producer_.Hold(true);
  solo_engine_.outcomes = {{.kind = SoloOutcome::Kind::kAnswered, .how = {}, .result = absl::DataLossError("NaN")}};
  std::promise<bool> done;
  const auto run = Start(Attempts().Started(), done);
  ASSERT_TRUE(producer_.WaitForProduced(1));
  EXPECT_EQ(Attempts::FromNote(consumer_.notes().at(0)).given_up(), bus::DeadLetterReason::kRefused);
  producer_.Hold(false);
  EXPECT_TRUE(Await(done));
  EXPECT_EQ(Written(), (Log{"notice", "dead-letter:refused"}));
}

// The other way round: the worker wrote the answer and died before it was in the history; the re-run gives up.
TEST_F(TurnSuspectTest, AnAnswerOfAnEarlierLifeStandsAndThereIsNoDeadLetter) {
  reply_log_.first = SaidBefore(mesh::bus::v1::REPLY_KIND_ANSWER, "said before");
  reply_log_.failures = {absl::UnavailableError("broker is away")};
  solo_engine_.outcomes = {{.kind = SoloOutcome::Kind::kAnswered, .how = {}, .result = absl::DataLossError("NaN")}};
  EXPECT_TRUE(Run(Attempts().Started()));
  EXPECT_EQ(Written(), Log{"notice"}) << "ignored by everyone, for it is not the first record";
  ASSERT_EQ(reply_log_.queries.size(), 2u) << "asked again when the broker was away";
  EXPECT_EQ(reply_log_.queries[0].before_offset, 0) << "the notice's own offset";
  EXPECT_LT(reply_log_.queries[0].from_ms, turn_.accepted_at_ms());
  ASSERT_EQ(session_.appended.size(), 1u);
  EXPECT_EQ(session_.appended[0].turn().reply_text(), "said before");
  EXPECT_EQ(metrics_.turns.at("answered").Value(), 1);
}

TEST_F(TurnSuspectTest, ANoticeOfAnEarlierLifeKeepsItsDeadLetter) {
  reply_log_.first = SaidBefore(mesh::bus::v1::REPLY_KIND_NOTICE, "Sorry.");
  EXPECT_TRUE(Run(Attempts().Started().GivenUp(bus::DeadLetterReason::kRefused)));
  EXPECT_EQ(Written(), (Log{"notice", "dead-letter:refused"}));
}

TEST_F(TurnSuspectTest, AWithdrawalOfAnEarlierLifeStands) {
  FirstReply first{.record = {}, .offset = 0};
  first.record.mutable_supersede()->set_turn_id(turn_.turn_id());
  first.record.mutable_supersede()->set_by_turn_id("the later turn");
  reply_log_.first = first;
  EXPECT_TRUE(Run(Attempts().Started().GivenUp(bus::DeadLetterReason::kRefused)));
  EXPECT_EQ(Written(), Log{"notice"});
  EXPECT_EQ(metrics_.turns.at("superseded").Value(), 1);
}

TEST(AttemptJournalTest, APartitionGivenAwayInPeaceLeavesNoSuspects) {
  fakes::FakeConsumer consumer;
  AttemptJournal journal;
  journal.SetConsumer(&consumer);
  const bus::TopicPartition partition{"mesh.turns", 0};
  const auto task = [](std::int64_t offset) {
    TurnTask made;
    made.record.topic = "mesh.turns";
    made.record.offset = offset;
    return made;
  };
  const Attempts twice_dead = Attempts().Started().ChildDied().ChildDied();
  journal.Note(task(1), Attempts().Started(), Attempts(), nullptr);
  journal.Note(task(2), twice_dead.StartedAlone(), twice_dead, nullptr);
  journal.Note(task(3), Attempts().Started(), Attempts(), nullptr);
  journal.Forget(task(3));
  consumer.MarkDone(partition, 3);
  journal.OnRevoked(partition, /*lost=*/false);
  EXPECT_EQ(consumer.notes(), (std::map<std::int64_t, std::uint32_t>{{1, 0}, {2, twice_dead.note()}}));
}

TEST(AttemptJournalTest, APartitionThatWasLostLeavesSuspects) {
  fakes::FakeConsumer consumer;
  AttemptJournal journal;
  journal.SetConsumer(&consumer);
  TurnTask task;
  task.record.topic = "mesh.turns";
  journal.Note(task, Attempts().Started(), Attempts(), nullptr);
  journal.OnRevoked({"mesh.turns", 0}, /*lost=*/true);
  EXPECT_TRUE(Attempts::FromNote(consumer.notes().at(0)).began());
}

}  // namespace
}  // namespace worker
