#include "libs/base/check.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(CheckTest, DoesNothingWhenTheConditionHolds) {
  int evaluations = 0;
  CHECK(++evaluations == 1);
  CHECK_MSG(++evaluations == 2, "never printed");
  EXPECT_EQ(evaluations, 2);
}

TEST(CheckDeathTest, NamesTheConditionThePlaceAndTheReason) {
  EXPECT_DEATH(CHECK(1 + 1 == 3), "CHECK failed: 1 \\+ 1 == 3 at .*check_test.cpp:[0-9]+");
  EXPECT_DEATH(CHECK_MSG(false, "blocks never run out here"), "blocks never run out here");
}

}  // namespace
}  // namespace base
