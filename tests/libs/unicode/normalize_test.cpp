#include "libs/unicode/normalize.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "libs/unicode/utf8.h"

namespace unicode {
namespace {

TEST(NormalizeTest, ComposesAndOrdersMarks) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain ASCII\n", "plain ASCII\n"},
      {"e\u0301", "\u00E9"},
      {"\u1112\u1161\u11AB", "한"},
      {"\u212B", "\u00C5"},               // the Angstrom sign is a singleton
      {"a\u0301\u0323", "\u1EA1\u0301"},  // marks are put in canonical order first
      {"\u09C7\u09BE", "\u09CB"},         // a composition whose second half is a spacing mark
      {"\u0958", "\u0915\u093C"},         // excluded from composition
      {"\uFB01", "\uFB01"},               // a compatibility ligature stays
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(NormalizeNfc(text), expected);
}

// Goal: cutting a long text into parts changes nothing. Method: pairs that compose, at every distance from a cut.
TEST(NormalizeTest, LongTextsComposeAcrossPartBoundaries) {
  for (const std::string_view padding : {"x", "中", "é"}) {
    for (int shift = 0; shift < 4; ++shift) {
      std::string text;
      std::string expected;
      for (int i = 0; i < shift; ++i) text += padding, expected += padding;
      for (int i = 0; i < 2'000; ++i) {
        text += "e\u0301\u1112\u1161\u11AB";
        expected += "é한";
      }
      EXPECT_EQ(NormalizeNfc(text), expected);
    }
  }
}

TEST(NormalizeTest, AMegabyteOfMarksIsNormalisedInParts) {
  std::string text = "a";
  while (text.size() < (1U << 20)) text += "\u0301\u0323";  // alternating classes, the worst case for ordering
  const std::string normalized = NormalizeNfc(text);
  EXPECT_TRUE(IsValidUtf8(normalized));
  EXPECT_LE(normalized.size(), text.size());
}

}  // namespace
}  // namespace unicode
