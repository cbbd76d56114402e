#include "services/worker/solo_queue.h"

#include <gtest/gtest.h>

#include <chrono>
#include <utility>
#include <vector>

namespace worker {
namespace {

constexpr base::MonotonicTime kNow{std::chrono::hours(1)};

TEST(SoloQueueTest, OneHasThePlaceAndThenTheNewestOfThoseThatWait) {
  app::EventLoop loop(100);
  SoloQueue queue(&loop);
  std::vector<int> order;
  std::vector<SoloQueue::Place> places;
  const auto enter = [&](int written_ms) {
    queue.Enter(written_ms, /*clearable=*/false, kNow, [&, written_ms](SoloQueue::Place place) {
      order.push_back(written_ms);
      places.push_back(std::move(place));
    });
  };
  loop.RunSync([&] { enter(1); });
  loop.RunSync([&] {
    for (const int written_ms : {2, 5, 3}) enter(written_ms);
  });
  loop.RunSync([&] {
    EXPECT_EQ(order, std::vector<int>{1});
    EXPECT_EQ(queue.waiting_count(), 3u);
  });
  for (int turn = 0; turn < 3; ++turn) {
    loop.RunSync([&] { places.clear(); });
    loop.RunSync([] {});
  }
  loop.RunSync([&] { EXPECT_EQ(order, (std::vector<int>{1, 5, 3, 2})); });
}

TEST(SoloQueueTest, ClearingLetsThoseGoThatMayAndTheRestGoesOnWaiting) {
  app::EventLoop loop(100);
  SoloQueue queue(&loop);
  std::vector<int> alone;
  std::vector<int> cleared;
  std::vector<SoloQueue::Place> places;
  const auto enter = [&](int written_ms, bool clearable) {
    queue.Enter(written_ms, clearable, kNow, [&, written_ms](SoloQueue::Place place) {
      (place == nullptr ? cleared : alone).push_back(written_ms);
      if (place != nullptr) places.push_back(std::move(place));
    });
  };
  loop.RunSync([&] { enter(9, true); });
  loop.RunSync([&] {
    for (const int written_ms : {1, 2, 3, 4}) enter(written_ms, /*clearable=*/written_ms % 2 == 0);
  });
  loop.RunSync([&] { queue.ClearOthers(); });
  loop.RunSync([&] {
    EXPECT_EQ(cleared, (std::vector<int>{2, 4}));
    EXPECT_EQ(alone, std::vector<int>{9});
    EXPECT_EQ(queue.waiting_count(), 2u);
  });
  for (int turn = 0; turn < 2; ++turn) {
    loop.RunSync([&] { places.clear(); });
    loop.RunSync([] {});
  }
  loop.RunSync([&] { EXPECT_EQ(alone, (std::vector<int>{9, 3, 1})); });
}

// Goal: a node that was lost holds its conversations up for a few turns and not for all of them.
// Method: 32 turns died together; those that run alone survive. `alone` and `cleared` are in the order of the news.
class SurvivorsTest : public testing::Test {
 protected:
  void Enter(int written_ms, base::MonotonicTime now, bool clearable = true) {
    loop_.RunSync([&] {
      queue_.Enter(written_ms, clearable, now, [this, written_ms](SoloQueue::Place place) {
        (place == nullptr ? cleared_ : alone_).push_back(written_ms);
        place_ = std::move(place);
      });
    });
    loop_.RunSync([] {});
  }
  void Survive(int count) {
    for (int turn = 0; turn < count; ++turn) {
      loop_.RunSync([&] { queue_.Survived(); });
      loop_.RunSync([&] { place_.reset(); });
      loop_.RunSync([] {});
    }
  }
  void DieTogether(base::MonotonicTime now) {
    for (int written_ms = 1; written_ms <= 32; ++written_ms) Enter(written_ms, now);
  }

  app::EventLoop loop_{100};
  SoloQueue queue_{&loop_};
  SoloQueue::Place place_;
  std::vector<int> alone_;
  std::vector<int> cleared_;
};

TEST_F(SurvivorsTest, TheOthersGoBackOnceAFewOfThoseThatDiedTogetherHaveSurvived) {
  DieTogether(kNow);
  Survive(kSurvivorsMax - 1);
  EXPECT_EQ(alone_, (std::vector<int>{1, 32, 31, 30})) << "the first was alone when it came";
  EXPECT_TRUE(cleared_.empty());
  loop_.RunSync([&] { queue_.Survived(); });
  loop_.RunSync([] {});
  EXPECT_EQ(alone_.size(), static_cast<std::size_t>(kSurvivorsMax));
  EXPECT_EQ(cleared_.size(), 32u - kSurvivorsMax);
  EXPECT_EQ(queue_.waiting_count(), 0u);
}

TEST_F(SurvivorsTest, OneThatComesLateOfTheSameDeathGoesBackAtOnceAndThatOfAnotherIsTriedAlone) {
  DieTogether(kNow);
  Survive(kSurvivorsMax);
  cleared_.clear();
  alone_.clear();
  Enter(40, kNow + std::chrono::seconds(5));
  EXPECT_EQ(cleared_, std::vector<int>{40});
  Enter(41, kNow + std::chrono::seconds(5) + kDeathApart);
  EXPECT_EQ(alone_, std::vector<int>{41});
}

TEST_F(SurvivorsTest, OneThatWasBegunAtTwoDeathsRunsAloneAllTheSame) {
  DieTogether(kNow);
  Enter(0, kNow, /*clearable=*/false);
  Survive(kSurvivorsMax);
  EXPECT_EQ(cleared_.size(), 32u - kSurvivorsMax);
  EXPECT_EQ(alone_.back(), 0);
}

TEST(SoloQueueTest, APlaceMayOutliveTheQueueAndItsLoopsEnd) {
  SoloQueue::Place kept;
  app::EventLoop loop(100);
  {
    SoloQueue queue(&loop);
    loop.RunSync([&] { queue.Enter(1, false, kNow, [&](SoloQueue::Place place) { kept = std::move(place); }); });
    loop.RunSync([] {});
  }
  loop.Stop();
  EXPECT_NE(kept, nullptr);
  kept.reset();
}

}  // namespace
}  // namespace worker
