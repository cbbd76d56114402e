#include "libs/base/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace base {
namespace {

// Encodes without looking at what is allowed, so that wrong code points can be written too.
std::string Encode(std::uint32_t code_point) {
  const auto byte = [](std::uint32_t value) { return static_cast<char>(value); };
  if (code_point < 0x80) return {byte(code_point)};
  const char last = byte(0x80 | (code_point & 63));
  if (code_point < 0x800) return {byte(0xC0 | code_point >> 6), last};
  const char second_last = byte(0x80 | (code_point >> 6 & 63));
  if (code_point < 0x10000) return {byte(0xE0 | code_point >> 12), second_last, last};
  return {byte(0xF0 | code_point >> 18), byte(0x80 | (code_point >> 12 & 63)), second_last, last};
}

TEST(Utf8Test, TakesEveryCodePointButSurrogatesAndThoseAboveTheLast) {
  for (std::uint32_t code_point = 0; code_point <= 0x11FFFF; ++code_point) {
    const bool is_allowed = code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF);
    const std::string bytes = Encode(code_point);
    ASSERT_EQ(IsUtf8(bytes), is_allowed) << code_point;
    if (is_allowed) {
      ASSERT_EQ(NextUtf8(bytes + "x").size, bytes.size()) << code_point;
    }
  }
}

TEST(Utf8Test, RefusesOverlongFormsAndStrayBytes) {
  for (const char* bytes : {"\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xF0\x8F\xBF\xBF", "\x80", "\xFE", "\xFF"}) {
    EXPECT_FALSE(IsUtf8(bytes));
  }
}

TEST(Utf8Test, AnIllFormedPartIsAsLongAsItCouldHaveBegunACharacter) {
  EXPECT_EQ(NextUtf8("\xE2\x82").size, 2u);
  EXPECT_EQ(NextUtf8("\xE2\x82"
                     "A")
                .size,
            2u);
  EXPECT_EQ(NextUtf8("\xF0\x9F\x98"
                     "A")
                .size,
            3u);
  EXPECT_EQ(NextUtf8("\xE0\x80\xBF").size, 1u);
  EXPECT_EQ(NextUtf8("\xED\xA0\x80").size, 1u);
  EXPECT_EQ(NextUtf8("\xF4\x90\x80\x80").size, 1u);
}

TEST(Utf8Test, TakesEmptyTextAndNul) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace base
