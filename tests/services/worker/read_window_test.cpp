#include "services/worker/read_window.h"

#include <gtest/gtest.h>

namespace worker {
namespace {

constexpr std::size_t kMuch = 1 << 20;  // bytes

TEST(ReadWindowTest, IsFullWithSoManyUnfinishedRecords) {
  ReadWindow window(/*records_max=*/4, kMuch);
  for (const int offset : {10, 11, 12}) window.Begin(offset, 1);
  EXPECT_FALSE(window.full());
  window.Begin(13, 1);
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
  ReadWindow window(/*records_max=*/4096, kMuch);
  window.Begin(0, 1);
  for (std::int64_t offset = 1; offset < kSpanOffsetsMax - 1; ++offset) {
    window.Begin(offset, 1);
    window.End(offset);
  }
  EXPECT_FALSE(window.full());
  window.Begin(kSpanOffsetsMax - 1, 1);
  EXPECT_TRUE(window.full());
  EXPECT_FALSE(window.has_room());
  window.End(0);
  EXPECT_EQ(window.span(), 1);
  EXPECT_TRUE(window.has_room());
}

TEST(ReadWindowTest, IsFullWithSoManyBytesHoweverFewRecordsTheyAre) {
  ReadWindow window(/*records_max=*/64, /*bytes_max=*/100);
  window.Begin(0, 60);
  EXPECT_FALSE(window.full());
  window.Begin(1, 70);
  EXPECT_TRUE(window.full());
  EXPECT_FALSE(window.has_room());
  window.End(0);
  EXPECT_TRUE(window.has_room());
  window.End(0);
  window.End(1);
  window.Begin(2, 1000);
  EXPECT_TRUE(window.full()) << "one that is larger than the window is read all the same, alone";
  window.End(2);
  EXPECT_TRUE(window.has_room());
}

TEST(ReadWindowTest, AnEmptyOneHasRoom) {
  ReadWindow window(/*records_max=*/64, kMuch);
  window.Begin(1'000'000, 1);
  window.End(1'000'000);
  EXPECT_EQ(window.span(), 0);
  EXPECT_TRUE(window.has_room());
}

}  // namespace
}  // namespace worker
