#include "services/sender/reply_window.h"

#include <gtest/gtest.h>

namespace sender {
namespace {

TEST(ReplyWindowTest, IsFullWithSoManyRecordsUntilHalfOfThemAreDone) {
  ReplyWindow window(/*records_max=*/4, /*bytes_max=*/1000);
  for (const int offset : {10, 11, 12}) window.Begin(offset, 1);
  EXPECT_FALSE(window.full());
  window.Begin(13, 1);
  EXPECT_TRUE(window.full());
  window.End(12);
  EXPECT_FALSE(window.has_room());
  window.End(10);
  EXPECT_TRUE(window.has_room());
}

TEST(ReplyWindowTest, IsFullWithSoManyBytesHoweverFewRecordsTheyAre) {
  ReplyWindow window(/*records_max=*/64, /*bytes_max=*/100);
  window.Begin(0, 60);
  EXPECT_FALSE(window.full());
  window.Begin(1, 50);
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

}  // namespace
}  // namespace sender
