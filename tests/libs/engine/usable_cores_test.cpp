#include "libs/engine/usable_cores.h"

#include <gtest/gtest.h>

#include <thread>

namespace engine {
namespace {

TEST(UsableCoresTest, QuotaIsWholeCoresAndAtLeastOne) {
  EXPECT_EQ(CoresOfQuota("200000 100000\n"), 2);
  EXPECT_EQ(CoresOfQuota("350000 100000"), 3) << "a fourth thread would be stopped half of the time";
  EXPECT_EQ(CoresOfQuota("50000 100000"), 1);
  EXPECT_EQ(CoresOfQuota("9223372036854775807 1"), 1 << 16);
}

TEST(UsableCoresTest, NoLimitAndOtherTextsAreNone) {
  for (const char* text : {"max 100000", "", "200000", "200000 0", "-1 100000", "0 100000", "a b", "1 2 3"}) {
    EXPECT_EQ(CoresOfQuota(text), std::nullopt) << text;
  }
}

TEST(UsableCoresTest, ThisProcessHasSome) {
  EXPECT_GE(UsableCores(), 1);
  EXPECT_LE(UsableCores(), static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace engine
