#include "libs/base/hex.h"

#include <gtest/gtest.h>

#include <string>

namespace base {
namespace {

TEST(HexTest, WritesLowerCase) {
  EXPECT_EQ(ToHex(""), "");
  EXPECT_EQ(ToHex(std::string("\0\x7f\x80\xff", 4)), "007f80ff");
}

TEST(HexTest, ReadsBothCases) {
  EXPECT_EQ(FromHex("007F80ff"), std::string("\0\x7f\x80\xff", 4));
  EXPECT_EQ(FromHex(""), "");
}

TEST(HexTest, RefusesOddLengthsAndOtherCharacters) {
  for (const char* text : {"0", "000", "0g", "g0", "0x", " 0", "0\n", "\xc3\xa9"}) EXPECT_FALSE(FromHex(text)) << text;
}

TEST(HexTest, EveryByteSurvivesTheWayThere) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    EXPECT_EQ(FromHex(ToHex(bytes)), bytes);
  }
}

}  // namespace
}  // namespace base
