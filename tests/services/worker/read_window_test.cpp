#include "services/worker/read_window.h"

#include <gtest/gtest.h>

namespace worker {
namespace {

TEST(ReadWindowTest, IsFullWithSoManyUnfinishedRecords) {
  ReadWindow window(/*records_max=*/4);
  for (const int offset : {10, 11, 12}) window.Begin(offset);
  EXPECT_FALSE(window.full());
  window.Begin(13);
  EXPECT_TRUE(window.full());
  window.End(12);
  EXPECT_FALSE(window.full());
  EXPECT_FALSE(window.has_room()) << "three quarters are still taken";
  window.End(10);
  EXPECT_TRUE(window.has_room());
}

// Bug 9: one old turn that takes long, and everything behind it finished: a restart would repeat what the commit's
// metadata has no room to name.
TEST(ReadWindowTest, IsFullWhenTheOldestUnfinishedRecordLiesTooFarBehind) {
  ReadWindow window(/*records_max=*/4096);
  window.Begin(0);
  for (std::int64_t offset = 1; offset < kSpanOffsetsMax - 1; ++offset) {
    window.Begin(offset);
    window.End(offset);
  }
  EXPECT_FALSE(window.full());
  window.Begin(kSpanOffsetsMax - 1);
  EXPECT_TRUE(window.full());
  EXPECT_FALSE(window.has_room());
  window.End(0);
  EXPECT_EQ(window.span(), 1);
  EXPECT_TRUE(window.has_room());
}

TEST(ReadWindowTest, AnEmptyOneHasRoom) {
  ReadWindow window(/*records_max=*/64);
  window.Begin(1'000'000);
  window.End(1'000'000);
  EXPECT_EQ(window.span(), 0);
  EXPECT_TRUE(window.has_room());
}

}  // namespace
}  // namespace worker
