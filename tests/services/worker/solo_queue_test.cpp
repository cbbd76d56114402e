#include "services/worker/solo_queue.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace worker {
namespace {

TEST(SoloQueueTest, OneHasThePlaceAndThenTheNewestOfThoseThatWait) {
  app::EventLoop loop(100);
  SoloQueue queue(&loop);
  std::vector<int> order;
  std::vector<SoloQueue::Place> places;
  const auto enter = [&](int written_ms) {
    queue.Enter(written_ms, /*clearable=*/false, [&, written_ms](SoloQueue::Place place) {
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
    queue.Enter(written_ms, clearable, [&, written_ms](SoloQueue::Place place) {
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

TEST(SoloQueueTest, APlaceMayOutliveTheQueueAndItsLoopsEnd) {
  SoloQueue::Place kept;
  app::EventLoop loop(100);
  {
    SoloQueue queue(&loop);
    loop.RunSync([&] { queue.Enter(1, false, [&](SoloQueue::Place place) { kept = std::move(place); }); });
    loop.RunSync([] {});
  }
  loop.Stop();
  EXPECT_NE(kept, nullptr);
  kept.reset();
}

}  // namespace
}  // namespace worker
