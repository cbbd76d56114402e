#include "libs/base/usable_memory.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(UsableMemoryTest, LimitOfAContainerIsReadFromItsText) {
  EXPECT_EQ(MemoryLimit("2147483648\n"), std::int64_t{2} << 30);
  EXPECT_EQ(MemoryLimit("4096"), 4096);
  for (const char* text : {"max", "max\n", "", "0", "-1", "12 34", "9223372036854775808"}) {
    EXPECT_EQ(MemoryLimit(text), std::nullopt) << text;
  }
}

TEST(UsableMemoryTest, ThisProcessHasSomeButNoPebibyte) {
  EXPECT_GT(UsableMemoryBytes(), std::int64_t{1} << 20);
  EXPECT_LT(UsableMemoryBytes(), std::int64_t{1} << 50);
}

}  // namespace
}  // namespace base
