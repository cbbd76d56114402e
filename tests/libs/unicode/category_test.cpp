#include "libs/unicode/category.h"

#include <gtest/gtest.h>

#include <set>

#include "libs/unicode/utf8.h"

namespace unicode {
namespace {

TEST(CategoryTest, LettersNumbersAndMarksOfManyScripts) {
  for (const char32_t letter :
       {U'a', U'Z', U'é', U'ß', U'д', U'א', U'ع', U'अ', U'中', U'か', U'한', U'ª', U'ʰ', U'𝒳'}) {
    EXPECT_TRUE(IsLetter(letter)) << static_cast<unsigned>(letter);
    EXPECT_FALSE(IsNumber(letter)) << static_cast<unsigned>(letter);
  }
  for (const char32_t number : {U'0', U'9', U'٣', U'५', U'½', U'Ⅷ', U'②', U'𝟘'}) {
    EXPECT_TRUE(IsNumber(number)) << static_cast<unsigned>(number);
    EXPECT_FALSE(IsLetter(number)) << static_cast<unsigned>(number);
  }
  for (const char32_t mark : {U'\u0301', U'\u093F', U'\u20DD', U'\uFE0F'}) {
    EXPECT_TRUE(IsMark(mark)) << static_cast<unsigned>(mark);
    EXPECT_FALSE(IsLetter(mark)) << static_cast<unsigned>(mark);
  }
  for (const char32_t other : {U'_', U'-', U'$', U'\u200D', U'😀', char32_t{0x110000}, char32_t{0xFFFFFFFF}}) {
    EXPECT_FALSE(IsLetter(other) || IsNumber(other) || IsMark(other)) << static_cast<unsigned>(other);
  }
}

TEST(CategoryTest, LettersAndNumbersThatUnicode16Added) {
  for (const char32_t letter : {0x1C89, 0x1C8A, 0xA7DC, 0x105C0, 0x143FA, 0x2EBF0, 0x2EE5D}) {
    EXPECT_TRUE(IsLetter(letter)) << static_cast<unsigned>(letter);
  }
  for (const char32_t number : {0x10D40, 0x10D49, 0x1E5FA}) {
    EXPECT_TRUE(IsNumber(number)) << static_cast<unsigned>(number);
  }
  for (const char32_t unassigned : {0x1C8B, 0x105F4, 0x2EE5E, 0x0378}) {
    EXPECT_FALSE(IsLetter(unassigned) || IsNumber(unassigned)) << static_cast<unsigned>(unassigned);
  }
}

TEST(CategoryTest, WhitespaceIsExactlyTheWhiteSpaceProperty) {
  // PropList.txt of Unicode 15.0, property White_Space: 25 code points.
  const std::set<char32_t> expected = {0x09,   0x0A,   0x0B,   0x0C,   0x0D,   0x20,   0x85,   0xA0,   0x1680,
                                       0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008,
                                       0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  for (char32_t code_point = 0; code_point <= kCodePointMax + 1; ++code_point) {
    ASSERT_EQ(IsWhitespace(code_point), expected.contains(code_point)) << static_cast<unsigned>(code_point);
  }
}

TEST(CategoryTest, PrintableIsWhatPythonPrintsAsItIs) {
  for (const char32_t printable : {U' ', U'a', U'é', U'中', U'😀', U'\u0301', U'$', U'\uFFFD'}) {
    EXPECT_TRUE(IsPrintable(printable)) << static_cast<unsigned>(printable);
  }
  for (const char32_t other : {U'\n', U'\u007F', U'\u00A0', U'\u00AD', U'\u200B', U'\u2028', U'\u3000', U'\uE000',
                               U'\u0378', char32_t{0x110000}}) {
    EXPECT_FALSE(IsPrintable(other)) << static_cast<unsigned>(other);
  }
}

TEST(CategoryTest, SimpleCaseMapping) {
  EXPECT_EQ(ToUpper(U'é'), U'É');
  EXPECT_EQ(ToLower(U'Ж'), U'ж');
  EXPECT_EQ(ToUpper(U'中'), U'中');
  EXPECT_EQ(ToLower(char32_t{0x110000}), char32_t{0x110000});
}

}  // namespace
}  // namespace unicode
