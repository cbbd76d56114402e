#include "libs/crypto/random.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

namespace crypto {
namespace {

TEST(RandomBytesTest, GivesExactlyTheCountAskedFor) {
  EXPECT_EQ(RandomBytes(0), "");
  EXPECT_EQ(RandomBytes(1).size(), 1u);
  EXPECT_EQ(RandomBytes(100'000).size(), 100'000u);  // above the 256 bytes that one call is promised to fill
}

TEST(RandomBytesTest, DoesNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(RandomBytes(16)).second);
}

// Goal: notice a source that leaves part of the buffer untouched. Method: every byte value is expected 256 times in
// 64 KiB; a fair source leaves [128, 384] with a probability far below 1e-12.
TEST(RandomBytesTest, UsesEveryByteValueAboutEquallyOften) {
  std::array<int, 256> counts{};
  for (const char byte : RandomBytes(65536)) ++counts[static_cast<unsigned char>(byte)];
  for (const int count : counts) {
    EXPECT_GT(count, 128);
    EXPECT_LT(count, 384);
  }
}

}  // namespace
}  // namespace crypto
