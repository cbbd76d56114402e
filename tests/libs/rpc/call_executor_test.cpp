#include "libs/rpc/call_executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace rpc {
namespace {

TEST(CallExecutorTest, RefusesWorkBeyondItsQueueAndRunsTheRest) {
  std::atomic<int> ran = 0;
  {
    CallExecutor executor(/*threads=*/1, /*waiting_max=*/2);
    std::promise<void> started;
    std::promise<void> go_on;
    ASSERT_TRUE(executor.TryRun([&] {
      started.set_value();
      go_on.get_future().wait();
      ++ran;
    }));
    started.get_future().wait();
    EXPECT_TRUE(executor.TryRun([&] { ++ran; }));
    EXPECT_TRUE(executor.TryRun([&] { ++ran; }));
    EXPECT_EQ(executor.waiting(), 2u);
    EXPECT_FALSE(executor.TryRun([&] { ran += 100; }));
    go_on.set_value();
  }
  EXPECT_EQ(ran, 3) << "the destructor runs what was taken";
}

}  // namespace
}  // namespace rpc
