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

TEST(ThreadPoolTest, UnusedPoolStops) { ThreadPool pool(4); }

}  // namespace
}  // namespace kernels
