#include "libs/app/event_loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

namespace app {
namespace {

using std::chrono::milliseconds;

TEST(EventLoopTest, RunsTasksInTheOrderInWhichOneThreadPostedThem) {
  EventLoop loop(/*backlog_max=*/2000);
  std::vector<int> order;
  for (int i = 0; i < 1000; ++i) loop.Post([&order, i] { order.push_back(i); });
  loop.RunSync([] {});
  ASSERT_EQ(order.size(), 1000u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(EventLoopTest, TimersRunInDueOrderNotPostOrder) {
  EventLoop loop(10);
  std::vector<int> order;
  std::promise<void> last;
  loop.PostAfter(milliseconds(30), [&] {
    order.push_back(2);
    last.set_value();
  });
  loop.PostAfter(milliseconds(1), [&] { order.push_back(1); });
  ASSERT_EQ(last.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(EventLoopTest, StopRunsWhatWasPostedAndRefusesWhatComesLater) {
  std::atomic<int> ran = 0;
  EventLoop loop(10);
  for (int i = 0; i < 5; ++i) loop.Post([&] { ++ran; });
  loop.Stop();
  EXPECT_EQ(ran, 5);
  EXPECT_FALSE(loop.Post([&] { ++ran; }));
  loop.RunSync([&] { ++ran; });  // returns
  EXPECT_EQ(ran, 5);
}

TEST(EventLoopTest, PostsFromManyThreadsAreAllRunOnTheLoopThread) {
  EventLoop loop(100'000);
  std::atomic<int> elsewhere = 0;
  int ran = 0;  // loop thread only
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        loop.Post([&] {
          ++ran;
          if (!loop.OnLoopThread()) ++elsewhere;
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int seen = 0;
  loop.RunSync([&] { seen = ran; });
  EXPECT_EQ(seen, 4000);
  EXPECT_EQ(elsewhere, 0);
}

TEST(EventLoopTest, ABacklogBeyondTheStatedMaximumIsABug) {
  EXPECT_DEATH(
      {
        EventLoop loop(2);
        std::promise<void> never;
        loop.Post([&] { never.get_future().wait(); });
        for (int i = 0; i < 10; ++i) loop.Post([] {});
      },
      "event loop backlog");
}

}  // namespace
}  // namespace app
