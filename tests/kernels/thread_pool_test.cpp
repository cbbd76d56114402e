#include "kernels/primitives/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace kernels {
namespace {

TEST(ThreadPoolTest, EveryTaskRunsOnceWhateverTheThreads) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (std::int64_t tasks : {0, 1, 2, 7, 100}) {
      std::vector<int> runs(static_cast<std::size_t>(tasks), 0);
      pool.Run(tasks, [&](std::int64_t task, int thread) {
        EXPECT_LT(thread, threads);
        ++runs[static_cast<std::size_t>(task)];
      });
      EXPECT_EQ(std::accumulate(runs.begin(), runs.end(), 0), tasks);
      for (int count : runs) EXPECT_EQ(count, 1);
    }
  }
}

// Goal: what a launch wrote is seen by the next, through thousands of launches and sleeps of the workers.
// Method: each launch adds one to every cell without any synchronisation of its own.
TEST(ThreadPoolTest, LaunchesFollowOneAnother) {
  ThreadPool pool(4);
  constexpr std::int64_t kCells = 37;
  constexpr int kLaunches = 5000;
  std::vector<int> cells(kCells, 0);
  for (int launch = 0; launch < kLaunches; ++launch) {
    pool.Run(kCells, [&](std::int64_t cell, int) { ++cells[static_cast<std::size_t>(cell)]; });
  }
  EXPECT_EQ(cells, std::vector<int>(kCells, kLaunches));
}

TEST(ThreadPoolTest, TraceHoldsWhatEachThreadDidAndNoMore) {
  for (int threads : {1, 3}) {
    ThreadPool pool(threads);
    LaunchTrace trace(threads, /*events_max_per_thread=*/2);
    pool.set_trace(&trace);
    for (std::int64_t tasks : {1, 5, 9}) {
      pool.Run(tasks, [](std::int64_t, int) {}, {"launch", " part", tasks});
    }
    pool.set_trace(nullptr);
    pool.Run(7, [](std::int64_t, int) {}, {"after", "", 7});
    std::int64_t events = 0, tasks = 0;
    for (int thread = 0; thread < threads; ++thread) {
      ASSERT_LE(trace.events(thread).size(), 2u);
      for (const LaunchTrace::Event& event : trace.events(thread)) {
        EXPECT_STREQ(event.label.name, "launch");
        EXPECT_LE(event.begin, event.end);
        EXPECT_LE(event.tasks, event.label.rows);
        tasks += event.tasks;
        ++events;
      }
    }
    EXPECT_GE(events + trace.dropped(), 3);
    if (threads == 1) {
      EXPECT_EQ(tasks, 1 + 5);
      EXPECT_EQ(trace.dropped(), 1);
    }
  }
}

TEST(ThreadPoolTest, UnusedPoolStops) { ThreadPool pool(4); }

}  // namespace
}  // namespace kernels
