// What turns bring along, fetched while they wait.
#include "services/worker/media_ahead.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "libs/records/turn_record.h"
#include "services/worker/turn_media.h"
#include "tests/services/worker/turn_run_fixture.h"

namespace worker {
namespace {

using media::Interest;
using media::Result;

class MediaAheadTest : public TurnRunTest {
 protected:
  MediaAheadTest() : TurnRunTest("media_ahead_test") {
    context_ = Context();
    context_.media = &fetcher_;
    context_.media_ahead_max = 2;
    ahead_ = std::make_unique<MediaAhead>(context_);
  }
  ~MediaAheadTest() override {
    loop_.Stop();  // before what its tasks use
  }

  // A turn of so many files that was written a moment ago and has come into its lane.
  std::shared_ptr<TurnTask> Come(const std::string& name, int files = 1) {
    mesh::bus::v1::Turn turn = turn_;
    turn.set_turn_id(identity::MakeTurnId(turn.conversation(), name).value());
    for (int i = 0; i < files; ++i) {
      turn.add_attachments()->set_type("image");
      turn.mutable_attachments(i)->set_id(name);
    }
    auto task = std::make_shared<TurnTask>();
    task->record.headers = {{"ce_type", records::kTurnType}};
    task->record.key = identity::KeyOf(turn.conversation()).value();
    task->record.value = turn.SerializeAsString();
    task->record.timestamp_ms = clock_.WallMs() - age_ms_;
    task->record.note = note_;
    task->queued = DescribeTurn(task->record, *accounts_->current(), clock_.Now());
    EXPECT_EQ(task->queued.brings_files, files > 0);
    loop_.RunSync([&] { ahead_->Add(task); });
    return task;
  }
  void Answer(std::size_t index, Result result = Result::kStored) {
    loop_.RunSync([&] { fetcher_.Answer(index, {.result = result}); });
    for (int i = 0; i < 3; ++i) loop_.RunSync([] {});  // what that posts, and what that posts
  }
  std::vector<std::string> Asked() {
    std::vector<std::string> names;
    loop_.RunSync([&] {
      for (const media::FetchRequest& request : fetcher_.requests) names.push_back(request.attachment.id());
    });
    return names;
  }

  using Names = std::vector<std::string>;

  ScriptedFetcher fetcher_;
  TurnContext context_;
  std::int64_t age_ms_ = 100;
  std::unique_ptr<MediaAhead> ahead_;
};

TEST_F(MediaAheadTest, WhatATurnBringsIsFetchedWhenItComes) {
  const auto task = Come("a");
  EXPECT_EQ(Asked(), (Names{"a"}));
  EXPECT_GT(fetcher_.requests[0].deadline, base::Clock::Real().Now() + std::chrono::seconds(20))
      << "nobody waits for it yet";
  ASSERT_NE(task->media, nullptr) << "for its run";
}

TEST_F(MediaAheadTest, PlacesAreFewAndEachIsPassedOn) {
  const auto a = Come("a"), b = Come("b"), c = Come("c"), d = Come("d");
  EXPECT_EQ(Asked(), (Names{"a", "b"}));
  EXPECT_EQ(c->media, nullptr) << "its run need not wait for it";
  Answer(1, Result::kUnavailable);
  EXPECT_EQ(Asked(), (Names{"a", "b", "c"}));
  Answer(0);
  EXPECT_EQ(Asked(), (Names{"a", "b", "c", "d"}));
}

// Of the pool's threads one is always left to turns that run, however many files a turn brings.
TEST_F(MediaAheadTest, AnAlbumHasAPlaceForEachFile) {
  const auto album = Come("album", 3), next = Come("next");
  EXPECT_EQ(Asked(), (Names{"album", "album"}));
  Answer(1);
  EXPECT_EQ(Asked(), (Names{"album", "album", "album"}));
  Answer(0);
  EXPECT_EQ(Asked(), (Names{"album", "album", "album", "next"}));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(fetcher_.requests[i].index, i);
}

TEST_F(MediaAheadTest, WhatIsLeftOfAnAlbumIsItsRunsOnceThatHasBegun) {
  const auto album = Come("album", 4), next = Come("next");
  loop_.RunSync([&] { album->media->Fetch(base::Clock::Real().Now()); });
  EXPECT_EQ(Asked().size(), 4u);
  Answer(0);
  EXPECT_EQ(Asked().back(), "next");
}

TEST_F(MediaAheadTest, WhereThePoolHasOneThreadItIsThatOfTurnsThatRun) {
  context_.media_ahead_max = 0;
  ahead_ = std::make_unique<MediaAhead>(context_);
  const auto a = Come("a");
  EXPECT_EQ(Asked(), Names{});
}

TEST_F(MediaAheadTest, WhileThePoolIsFullTurnsGoOnWaiting) {
  fetcher_.room = false;
  const auto a = Come("a"), b = Come("b");
  EXPECT_EQ(Asked(), Names{});
  fetcher_.room = true;
  while (Asked().size() < 2) std::this_thread::yield();
  EXPECT_EQ(Asked(), (Names{"a", "b"}));
}

TEST_F(MediaAheadTest, ATurnThatIsOverGivesItsPlaceAway) {
  auto a = Come("a"), b = Come("b"), c = Come("c");
  const auto d = Come("d");
  loop_.RunSync([&] {
    c.reset();
    a.reset();
  });
  EXPECT_EQ(fetcher_.requests[0].interest->load(), Interest::kOver);
  EXPECT_EQ(fetcher_.requests[1].interest->load(), Interest::kWanted);
  Answer(0, Result::kLate);  // as the pool does with what nobody wants
  EXPECT_EQ(Asked(), (Names{"a", "b", "d"})) << "and the one that waited is passed over";
}

TEST_F(MediaAheadTest, ATurnThatHasBegunByItselfIsLeftAlone) {
  const auto a = Come("a"), b = Come("b"), c = Come("c");
  const auto book = accounts_->current();
  loop_.RunSync(
      [&] { c->media = std::make_shared<TurnMedia>(&loop_, &fetcher_, book, &book->accounts().front(), turn_); });
  Answer(0);
  EXPECT_EQ(Asked(), (Names{"a", "b"}));
}

// It may have killed its readers before, of which no note tells: see media_ahead.h.
TEST_F(MediaAheadTest, WhatWasReadLateIsFetchedOnceThisWorkerHasLivedOn) {
  age_ms_ = 5'000;  // sooner than a dead worker is noticed
  const auto late = Come("late");
  EXPECT_EQ(Asked(), Names{});
  ahead_ = std::make_unique<MediaAhead>(context_, /*probation=*/std::chrono::milliseconds(1));
  const auto proven = Come("proven");
  while (Asked().empty()) std::this_thread::yield();
  EXPECT_EQ(Asked(), (Names{"proven"}));
}

TEST_F(MediaAheadTest, AClockThatIsAheadOfOursMakesNothingLate) {
  age_ms_ = -3'600'000;
  const auto task = Come("a");
  EXPECT_EQ(Asked(), (Names{"a"}));
}

TEST_F(MediaAheadTest, ATurnThatBeganInAnEarlierLifeIsLeftToItsRun) {
  note_ = Attempts().Started().note();
  const auto task = Come("a");
  EXPECT_EQ(Asked(), Names{});
}

TEST_F(MediaAheadTest, AWorkerThatDrainsBeginsNothing) {
  const auto a = Come("a"), b = Come("b"), c = Come("c");
  loop_.RunSync([&] { ahead_->Stop(); });
  Answer(0);
  const auto d = Come("d");
  EXPECT_EQ(Asked(), (Names{"a", "b"}));
}

TEST_F(MediaAheadTest, WhatNoModelWillSeeIsNotFetched) {
  static_cast<void>(Come("text", /*files=*/0));
  turn_.set_kind(mesh::bus::v1::TURN_KIND_EVENT);
  turn_.add_attachments()->set_type("image");
  bus::Record record;
  record.headers = {{"ce_type", records::kTurnType}};
  record.key = identity::KeyOf(turn_.conversation()).value();
  record.value = turn_.SerializeAsString();
  EXPECT_FALSE(DescribeTurn(record, *accounts_->current(), clock_.Now()).brings_files);
  EXPECT_EQ(Asked(), Names{});
}

}  // namespace
}  // namespace worker
