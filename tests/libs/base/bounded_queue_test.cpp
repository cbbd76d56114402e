#include "libs/base/bounded_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

namespace base {
namespace {

MonotonicTime In(std::chrono::milliseconds wait) { return Clock::Real().Now() + wait; }
constexpr std::chrono::milliseconds kLong{10'000};

TEST(BoundedQueueTest, GivesItemsInOrder) {
  BoundedQueue<int> queue(3);
  for (int item = 1; item <= 3; ++item) EXPECT_TRUE(queue.TryPush(int(item)));
  EXPECT_EQ(queue.size(), 3u);
  for (int item = 1; item <= 3; ++item) EXPECT_EQ(queue.TryPop(), item);
  EXPECT_EQ(queue.TryPop(), std::nullopt);
}

TEST(BoundedQueueTest, AFullQueueLeavesTheItemWithItsOwner) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  EXPECT_TRUE(queue.TryPush(std::make_unique<int>(1)));
  auto refused = std::make_unique<int>(2);
  EXPECT_FALSE(queue.TryPush(std::move(refused)));
  ASSERT_NE(refused, nullptr);
  EXPECT_EQ(*refused, 2);
}

TEST(BoundedQueueTest, PopGivesUpAtItsDeadline) {
  BoundedQueue<int> queue(1);
  const MonotonicTime deadline = In(std::chrono::milliseconds(5));
  EXPECT_EQ(queue.Pop(deadline), std::nullopt);
  EXPECT_GE(Clock::Real().Now(), deadline);
}

TEST(BoundedQueueTest, ClosedMeansNoMoreItemsButTheOnesInsideAreDrained) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.TryPush(1));
  queue.Close();
  EXPECT_TRUE(queue.closed());
  EXPECT_FALSE(queue.TryPush(2));
  EXPECT_EQ(queue.Pop(In(kLong)), 1);
  EXPECT_EQ(queue.Pop(In(kLong)), std::nullopt);  // at once, not after ten seconds: the suite's time limit shows it
}

TEST(BoundedQueueTest, CloseWakesAllWaitingConsumers) {
  BoundedQueue<int> queue(1);
  std::vector<std::thread> consumers;
  std::atomic<int> woken{0};
  for (int i = 0; i < 3; ++i) {
    consumers.emplace_back([&] {
      if (!queue.Pop(In(kLong))) ++woken;
    });
  }
  queue.Close();
  for (std::thread& consumer : consumers) consumer.join();
  EXPECT_EQ(woken, 3);
}

// Goal: nothing is lost or given twice between threads. Method: the sum of what four producers put in.
TEST(BoundedQueueTest, EveryItemReachesExactlyOneConsumer) {
  constexpr int kProducers = 4;
  constexpr int kItemsEach = 5000;
  BoundedQueue<int> queue(16);
  std::atomic<long> sum{0};
  std::atomic<int> count{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (const auto item = queue.Pop(In(kLong))) {
        sum += *item;
        ++count;
      }
    });
  }
  std::vector<std::thread> producers;
  for (int i = 0; i < kProducers; ++i) {
    producers.emplace_back([&] {
      for (int item = 1; item <= kItemsEach; ++item) {
        while (!queue.TryPush(int(item))) std::this_thread::yield();
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  queue.Close();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, kProducers * kItemsEach);
  EXPECT_EQ(sum, static_cast<long>(kProducers) * kItemsEach * (kItemsEach + 1) / 2);
}

TEST(BoundedQueueDeathTest, HasAMaximum) { EXPECT_DEATH(BoundedQueue<int>(0), "items_max > 0"); }

}  // namespace
}  // namespace base
