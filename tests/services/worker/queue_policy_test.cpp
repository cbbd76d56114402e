#include "services/worker/queue_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace worker {
namespace {

using std::chrono::milliseconds;

constexpr base::MonotonicTime kStart{std::chrono::hours(1)};

// A lane as a test writes it down. Each turn's offset is its place in the order of Wait.
class QueuePolicyTest : public testing::Test {
 protected:
  QueuedTurn& Wait(const std::string& turn_id, milliseconds read_at = milliseconds(0)) {
    QueuedTurn& turn = turns_.emplace_back();
    turn.offset = static_cast<std::int64_t>(turns_.size()) - 1;
    turn.turn_id = turn_id;
    turn.is_user_turn = true;
    turn.read_at = kStart + read_at;
    turn.mode = mode_;
    turn.debounce = milliseconds(100);
    lane_.waiting.push_back(&turn);
    return turn;
  }
  QueuedTurn& Run(const std::string& turn_id, bool may_stop) {
    QueuedTurn& turn = Wait(turn_id);
    lane_.waiting.pop_back();
    lane_.running = &turn;
    lane_.running_may_stop = may_stop;
    return turn;
  }
  std::optional<Takeover> Propose(milliseconds at = milliseconds(0)) const {
    return ProposeTakeover(lane_, kStart + at);
  }
  std::optional<base::Duration> Hold(milliseconds at) const {
    const auto until = HoldUntil(lane_, kStart + at);
    return until ? std::optional<base::Duration>(*until - kStart) : std::nullopt;
  }

  QueueMode mode_ = QueueMode::kFollowup;
  LaneView lane_;
  std::deque<QueuedTurn> turns_;  // stable addresses
};

using Followup = QueuePolicyTest;

TEST_F(Followup, EveryTurnIsAnsweredAndNoneWaitsForMore) {
  Run("a", /*may_stop=*/true);
  Wait("b");
  Wait("c");
  EXPECT_EQ(Propose(), std::nullopt);
  EXPECT_EQ(Hold(milliseconds(0)), std::nullopt);
}

TEST_F(Followup, TheSixtyFifthWaitingTurnStandsForAll) {
  Run("running", /*may_stop=*/true);
  std::vector<std::int64_t> dropped;
  for (std::size_t i = 0; i < kLaneWaitingMax; ++i) dropped.push_back(Wait("turn" + std::to_string(i)).offset);
  EXPECT_EQ(Propose(), std::nullopt);
  const QueuedTurn& last = Wait("last");
  EXPECT_EQ(Propose(), (Takeover{last.offset, DropReason::kOverflow, dropped, /*stops_running=*/false}));
}

TEST_F(Followup, WhatIsNoUserTurnIsNeitherCountedNorDropped) {
  for (std::size_t i = 0; i < 3 * kLaneWaitingMax; ++i) Wait("x" + std::to_string(i)).is_user_turn = i % 3 == 0;
  EXPECT_EQ(Propose(), std::nullopt);
}

TEST_F(Followup, ALaneIsShedWholeAndItsNewestTurnIsToldSo) {
  Wait("a");
  Wait("b");
  Wait("a");  // a retried webhook: finds its turn finished later
  const QueuedTurn& newest = Wait("c");
  EXPECT_EQ(ProposeShedding(lane_), (Takeover{newest.offset, DropReason::kShed, {0, 1}, /*stops_running=*/false}));
}

// Goal: a turn that may have been answered long ago (Redis lost, and a retried webhook of it comes late) speaks for no
// message that its user sent after it: that one would never be answered.
TEST_F(Followup, ALateRetryIsToldNothingForWhatWasSentAfterIt) {
  Wait("a").sent_at_ms = 1000;
  const QueuedTurn& c = Wait("c");
  turns_.back().sent_at_ms = 3000;
  Wait("late b").sent_at_ms = 2000;
  EXPECT_EQ(ProposeShedding(lane_), (Takeover{c.offset, DropReason::kShed, {0}, /*stops_running=*/false}));
}

TEST_F(Followup, ALateRetryAsTheSixtyFifthStandsForWhatWasSentBeforeItAlone) {
  Wait("a").sent_at_ms = 1000;
  for (std::size_t i = 1; i < kLaneWaitingMax; ++i) Wait("c" + std::to_string(i)).sent_at_ms = 3000;
  const QueuedTurn& late = Wait("late b");
  turns_.back().sent_at_ms = 2000;
  EXPECT_EQ(Propose(), (Takeover{late.offset, DropReason::kOverflow, {0}, /*stops_running=*/false}));
  turns_.front().sent_at_ms = 3000;
  EXPECT_EQ(Propose(), std::nullopt);
}

// Its notice would leave before the answer to an earlier turn.
TEST_F(Followup, ALaneIsNotShedWhileAnEarlierTurnMayYetBeAnswered) {
  Wait("a").is_user_turn = false;  // requeued by an operator
  Wait("b");
  EXPECT_EQ(ProposeShedding(lane_), std::nullopt);
  lane_.waiting.erase(lane_.waiting.begin());
  EXPECT_NE(ProposeShedding(lane_), std::nullopt);
  lane_.running = &turns_.front();
  EXPECT_EQ(ProposeShedding(lane_), std::nullopt);
  lane_.running = nullptr;
  lane_.leaving = {&turns_.front()};
  EXPECT_EQ(ProposeShedding(lane_), std::nullopt);
  EXPECT_EQ(ProposeShedding(LaneView{}), std::nullopt);
}

TEST_F(Followup, ARetriedWebhookIsNotCounted) {
  for (std::size_t i = 0; i < 2 * kLaneWaitingMax; ++i) Wait("the same");
  EXPECT_EQ(Propose(), std::nullopt);
}

class Interrupt : public QueuePolicyTest {
 protected:
  Interrupt() { mode_ = QueueMode::kInterrupt; }
};

TEST_F(Interrupt, TheNewestTurnStopsTheRunningOneAndDropsThoseThatWait) {
  Run("a", /*may_stop=*/true);
  const QueuedTurn& b = Wait("b");
  const QueuedTurn& c = Wait("c");
  EXPECT_EQ(Propose(), (Takeover{c.offset, DropReason::kSuperseded, {b.offset}, /*stops_running=*/true}));
}

TEST_F(Interrupt, WhatHasBeenSaidIsNotStopped) {
  Run("a", /*may_stop=*/false);
  Wait("b");
  EXPECT_EQ(Propose(), std::nullopt);
}

TEST_F(Interrupt, ATurnAloneDropsNothing) {
  Wait("a");
  EXPECT_EQ(Propose(), std::nullopt);
}

TEST_F(Interrupt, AnEventOrARequeuedTurnNeitherDropsNorIsDropped) {
  const QueuedTurn& a = Wait("a");
  Wait("requeued").is_user_turn = false;
  const QueuedTurn& b = Wait("b");
  Wait("later requeued").is_user_turn = false;
  EXPECT_EQ(Propose(), (Takeover{b.offset, DropReason::kSuperseded, {a.offset}, false}));
}

TEST_F(Interrupt, ARetriedWebhookOfAnEarlierTurnOfTheLaneDropsNothing) {
  Run("a", /*may_stop=*/true);
  Wait("a");
  EXPECT_EQ(Propose(), std::nullopt) << "a turn must not supersede itself";
  const QueuedTurn& b = Wait("b");
  Wait("a");
  EXPECT_EQ(Propose(), (Takeover{b.offset, DropReason::kSuperseded, {}, true})) << "nor the one that came after it";
}

TEST_F(Interrupt, ARetriedWebhookOfATurnThatIsBeingDroppedDropsNothing) {
  QueuedTurn& a = Wait("a");
  lane_.waiting.clear();
  lane_.leaving = {&a};
  Run("b", /*may_stop=*/true);
  Wait("a");
  EXPECT_EQ(Propose(), std::nullopt);
}

TEST_F(Interrupt, AMessageThatTheUserSentEarlierDoesNotDropOneSentLater) {
  Run("b", /*may_stop=*/true).sent_at_ms = 2000;
  Wait("a").sent_at_ms = 1000;
  EXPECT_EQ(Propose(), std::nullopt);
  QueuedTurn& c = Wait("c");
  c.sent_at_ms = 3000;
  EXPECT_TRUE(Propose().has_value());
}

class Collect : public QueuePolicyTest {
 protected:
  Collect() { mode_ = QueueMode::kCollect; }
};

TEST_F(Collect, AGroupIsOpenForTheDebounceAfterItsLastTurn) {
  Wait("a", milliseconds(0));
  EXPECT_EQ(Hold(milliseconds(0)), milliseconds(100));
  const QueuedTurn& b = Wait("b", milliseconds(60));
  EXPECT_EQ(Hold(milliseconds(60)), milliseconds(160));
  EXPECT_EQ(Propose(milliseconds(159)), std::nullopt);
  EXPECT_EQ(Hold(milliseconds(160)), std::nullopt);
  EXPECT_EQ(Propose(milliseconds(160)), (Takeover{b.offset, DropReason::kMerged, {0}, false}));
}

TEST_F(Collect, ATurnAloneStartsAfterTheDebounce) {
  Wait("a", milliseconds(0));
  EXPECT_EQ(Hold(milliseconds(100)), std::nullopt);
  EXPECT_EQ(Propose(milliseconds(100)), std::nullopt);
}

TEST_F(Collect, APauseSeparatesGroupsAndTheFirstIsAnsweredFirst) {
  Wait("a", milliseconds(0));
  const QueuedTurn& b = Wait("b", milliseconds(50));
  Wait("c", milliseconds(500));
  EXPECT_EQ(Hold(milliseconds(500)), std::nullopt) << "nothing more can come to the first group";
  EXPECT_EQ(Propose(milliseconds(500)), (Takeover{b.offset, DropReason::kMerged, {0}, false}));
}

TEST_F(Collect, ALateRetryIsNotAnsweredInPlaceOfWhatWasSentAfterIt) {
  Wait("a", milliseconds(0)).sent_at_ms = 2000;
  Wait("late b", milliseconds(50)).sent_at_ms = 1000;
  EXPECT_EQ(Propose(milliseconds(150)), std::nullopt);
  EXPECT_EQ(Hold(milliseconds(150)), std::nullopt) << "the first is answered";
}

TEST_F(Collect, WhatStandsBeforeALateRetryIsStillOneGroup) {
  Wait("a", milliseconds(0)).sent_at_ms = 2000;
  const QueuedTurn& c = Wait("c", milliseconds(50));
  turns_.back().sent_at_ms = 3000;
  Wait("late b", milliseconds(90)).sent_at_ms = 1000;
  EXPECT_EQ(Propose(milliseconds(190)), (Takeover{c.offset, DropReason::kMerged, {0}, false}));
  lane_.waiting.pop_back();  // what came after it in the meantime asks for itself
  EXPECT_EQ(Propose(milliseconds(190)), (Takeover{c.offset, DropReason::kMerged, {0}, false}));
}

TEST_F(Collect, AMessageOfUnknownTimeIsGroupedByItsArrival) {
  Wait("a", milliseconds(0)).sent_at_ms = 2000;
  const QueuedTurn& b = Wait("b", milliseconds(50));
  EXPECT_EQ(Propose(milliseconds(150)), (Takeover{b.offset, DropReason::kMerged, {0}, false}));
}

TEST_F(Collect, NothingIsDecidedWhileATurnRuns) {
  Run("running", /*may_stop=*/true);
  Wait("a", milliseconds(0));
  Wait("b", milliseconds(50));
  EXPECT_EQ(Propose(milliseconds(1000)), std::nullopt);
}

TEST_F(Collect, AUserWhoNeverStopsTypingIsAnsweredAfterTenDebounces) {
  for (int i = 0; i <= 20; ++i) Wait("turn" + std::to_string(i), milliseconds(50 * i));
  EXPECT_EQ(Hold(milliseconds(999)), milliseconds(1000));
  ASSERT_TRUE(Propose(milliseconds(1000)).has_value());
  EXPECT_EQ(Propose(milliseconds(1000))->into_offset, 20);
  Wait("too late for it", milliseconds(1050));
  EXPECT_EQ(Propose(milliseconds(1050))->into_offset, 20);
}

// One conversation's turns, what is durable about them (the log and session's memory), and one life of a worker after
// the other. Each step of the world is one that a real worker takes between two awaits, so that a crash can fall
// between any.
class Conversation {
 public:
  Conversation(unsigned seed, QueueMode mode) : rng_(seed), mode_(mode) {
    const int count = 3 + static_cast<int>(rng_() % 90);
    for (int i = 0; i < count; ++i) {
      // Now and then a webhook is retried: a second record of an earlier turn.
      const bool is_retry = i > 0 && rng_() % 6 == 0;
      log_.push_back(is_retry ? log_[rng_() % log_.size()] : "turn" + std::to_string(i));
    }
    done_.resize(log_.size());
    committed_ = done_;
  }

  void RunToTheEnd() {
    for (int step = 0; step < 3000; ++step) Step(/*may_crash=*/true);
    for (int step = 0; step < 40'000 && !AllDone(); ++step) Step(/*may_crash=*/false);
    ASSERT_TRUE(AllDone()) << "a turn is stuck";
    Check();
  }

 private:
  struct Work {  // a turn that ends: its record is written, then projected, then marked done
    QueuedTurn* turn;
    std::string dropped_for;  // empty: it is answered
    int stage = 0;
  };

  void Step(bool may_crash) {
    now_ += milliseconds(rng_() % 40);
    const auto dice = rng_() % 100;
    if (may_crash && dice < 2) return Crash();
    if (rng_() % 8 == 0) committed_ = done_;
    if (dice < 30) return Admit();
    if (dice < 50) return Decide();
    if (dice < 70) return Start();
    if (dice < 85 && !leaving_.empty()) {
      const std::size_t i = rng_() % leaving_.size();
      if (Advance(leaving_[i])) leaving_.erase(leaving_.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
    if (running_ && Advance(*running_)) running_.reset();
  }

  void Crash() {
    waiting_.clear();
    leaving_.clear();
    running_.reset();
    next_ = 0;
    done_ = committed_;  // what was marked done after the last commit is read again
  }

  void Admit() {
    while (next_ < log_.size() && done_[next_]) ++next_;
    if (next_ == log_.size()) return;
    QueuedTurn& turn = turns_.emplace_back();
    turn.offset = static_cast<std::int64_t>(next_);
    turn.turn_id = log_[next_++];
    turn.is_user_turn = true;
    turn.read_at = now_;
    turn.mode = mode_;
    turn.debounce = milliseconds(100);
    waiting_.push_back(&turn);
  }

  LaneView View() const {
    LaneView view;
    view.waiting = {waiting_.begin(), waiting_.end()};
    for (const Work& work : leaving_) view.leaving.push_back(work.turn);
    if (running_) view.running = running_->turn;
    view.running_may_stop = running_ && running_->stage == 0 && running_->dropped_for.empty();
    return view;
  }

  void Decide() {
    const std::optional<Takeover> takeover = ProposeTakeover(View(), now_);
    if (!takeover) return;
    QueuedTurn* into = Take(takeover->into_offset);
    if (finished_.contains(into->turn_id)) {  // as session says
      done_[static_cast<std::size_t>(into->offset)] = true;
      return;
    }
    for (const std::int64_t offset : takeover->offsets) leaving_.push_back({Take(offset), into->turn_id});
    if (takeover->stops_running) running_->dropped_for = into->turn_id;
    const auto place = std::find_if(waiting_.begin(), waiting_.end(),
                                    [&](const QueuedTurn* turn) { return turn->offset > into->offset; });
    waiting_.insert(place, into);
  }

  QueuedTurn* Take(std::int64_t offset) {
    const auto it =
        std::find_if(waiting_.begin(), waiting_.end(), [&](const QueuedTurn* turn) { return turn->offset == offset; });
    QueuedTurn* turn = *it;
    waiting_.erase(it);
    return turn;
  }

  void Start() {
    if (running_ || !leaving_.empty() || waiting_.empty() || HoldUntil(View(), now_)) return;
    const std::optional<Takeover> due = ProposeTakeover(View(), now_);
    if (due && due->reason == DropReason::kMerged) return;
    QueuedTurn* turn = waiting_.front();
    waiting_.pop_front();
    if (finished_.contains(turn->turn_id)) {
      done_[static_cast<std::size_t>(turn->offset)] = true;
    } else {
      running_ = Work{turn, ""};
    }
  }

  // True at its end.
  bool Advance(Work& work) {
    const std::string& id = work.turn->turn_id;
    switch (work.stage++) {
      case 0:  // asked again: a run finds its turn finished
        if (finished_.contains(id))
          work.stage = 2;
        else
          replies_.emplace(id, work.dropped_for);  // the first record of a turn is what is said of it
        return false;
      case 1:
        finished_.insert(id);
        return false;
      default:
        done_[static_cast<std::size_t>(work.turn->offset)] = true;
        return true;
    }
  }

  bool AllDone() const { return std::find(done_.begin(), done_.end(), false) == done_.end(); }

  std::size_t FirstRecordOf(const std::string& id) const {
    return static_cast<std::size_t>(std::find(log_.begin(), log_.end(), id) - log_.begin());
  }

  void Check() const {
    for (const std::string& id : log_) {
      std::string at = id;
      ASSERT_TRUE(replies_.contains(at)) << id << " has no word in the log";
      while (!replies_.at(at).empty()) {  // follow those that stand for it, each later than the one before
        ASSERT_LT(FirstRecordOf(at), FirstRecordOf(replies_.at(at))) << at << " was dropped for an earlier turn";
        at = replies_.at(at);
        ASSERT_TRUE(replies_.contains(at)) << at << " stands for " << id << " and was never answered";
      }
    }
  }

  std::mt19937 rng_;
  const QueueMode mode_;
  base::MonotonicTime now_ = kStart;
  std::vector<std::string> log_;  // turn ids by offset in `turns`

  // Durable
  std::map<std::string, std::string> replies_;  // turn id -> "" for its answer, or whom it was dropped for
  std::set<std::string> finished_;              // session's memory
  std::vector<bool> committed_;                 // by offset

  // This life's
  std::vector<bool> done_;
  std::size_t next_ = 0;
  std::deque<QueuedTurn> turns_;
  std::deque<QueuedTurn*> waiting_;
  std::vector<Work> leaving_;
  std::optional<Work> running_;
};

// Goal: in every mode, whatever the arrival times, retried webhooks and crashes, every turn is answered, or dropped for
// a later turn whose chain ends in an answer; and none is stuck. Exactly one answer a group follows, since the first
// record of a turn is its only one. Method: random conversations from fixed seeds, each step one between two awaits,
// crashes between any two of them.
TEST(QueuePolicyPropertyTest, EveryTurnEndsInOneAnswerOfItsOwnOrOfALaterTurn) {
  for (const QueueMode mode : {QueueMode::kFollowup, QueueMode::kInterrupt, QueueMode::kCollect}) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
      SCOPED_TRACE(testing::Message() << "mode " << static_cast<int>(mode) << " seed " << seed);
      Conversation(seed, mode).RunToTheEnd();
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace worker
