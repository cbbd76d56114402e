#include "libs/unicode/utf8.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unicode {
namespace {

constexpr std::string_view kFffd = "\xEF\xBF\xBD";

std::string Replaced(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += kFffd;
  return text;
}

TEST(Utf8Test, EveryCodePointSurvivesEncodeAndDecode) {
  for (char32_t code_point = 0; code_point <= kCodePointMax; ++code_point) {
    if (code_point >= 0xD800 && code_point <= 0xDFFF) continue;
    std::string encoded;
    AppendUtf8(code_point, encoded);
    const Decoded decoded = DecodeUtf8(encoded, 0);
    ASSERT_TRUE(decoded.valid) << static_cast<unsigned>(code_point);
    ASSERT_EQ(decoded.code_point, code_point);
    ASSERT_EQ(decoded.length, encoded.size());
  }
}

TEST(Utf8Test, SurrogatesAndValuesBeyondUnicodeAreEncodedAsReplacement) {
  for (const char32_t code_point : {char32_t{0xD800}, char32_t{0xDFFF}, char32_t{0x110000}, char32_t{0xFFFFFFFF}}) {
    std::string encoded;
    AppendUtf8(code_point, encoded);
    EXPECT_EQ(encoded, kFffd);
  }
}

// The rows are table 3-8 to 3-11 of Unicode 15.0, section 3.9, and cases that the WHATWG decoder tests name. Each was
// compared with Python's bytes.decode("utf-8", errors="replace").
TEST(Utf8Test, EachMaximalSubpartBecomesOneReplacement) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", Replaced(8) + "A"},  // overlong forms
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", Replaced(8) + "A"},  // surrogates
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", Replaced(5) + "A" + Replaced(2) + "B"},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", Replaced(4) + "A"},  // truncated sequences
      {"\x80", Replaced(1)},
      {"a\xE2\x82", std::string("a") + Replaced(1)},
      {"\xE2\x82z", Replaced(1) + "z"},
      {"\xF0\x9F\x98", Replaced(1)},
      {"\xF5\x80\x80\x80", Replaced(4)},
      {"\xE2\x28\xA1", Replaced(1) + "(" + Replaced(1)},
      {std::string("\0\x7F", 2), std::string("\0\x7F", 2)},
  };
  for (const auto& [bytes, expected] : cases) {
    EXPECT_EQ(SanitizeUtf8(bytes), expected) << testing::PrintToString(bytes);
    EXPECT_EQ(IsValidUtf8(bytes), bytes == expected) << testing::PrintToString(bytes);
  }
}

TEST(Utf8Test, SanitizedBytesAreValidAndASecondPassChangesNothing) {
  constexpr unsigned kSeed = 20240607;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 rng(kSeed);
  // Bytes near the edges of the ranges make ill-formed sequences far likelier than a uniform draw does.
  constexpr std::string_view kEdges = "\x20\x7F\x80\x8F\x90\x9F\xA0\xBF\xC1\xC2\xDF\xE0\xED\xEF\xF0\xF4\xF5\xFF";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(rng() % 12, '\0');
    for (char& byte : bytes) byte = kEdges[rng() % kEdges.size()];
    const std::string clean = SanitizeUtf8(bytes);
    ASSERT_TRUE(IsValidUtf8(clean)) << testing::PrintToString(bytes);
    ASSERT_EQ(SanitizeUtf8(clean), clean);
    ASSERT_EQ(CodePointCount(clean), CodePointCount(bytes));
    ASSERT_LE(clean.size(), 3 * bytes.size());
  }
}

TEST(Utf8Test, CompletePrefixKeepsBackOnlyWhatLaterBytesCanFinish) {
  const std::vector<std::pair<std::string, std::size_t>> cases = {
      {"", 0},         {"abc", 3},          {"ab\xC3", 2},       {"ab\xC3\xA9", 4}, {"\xE2\x82", 0},
      {"\xF0\x9F", 0}, {"\xF0\x9F\x98", 0}, {"\xE0\x80", 2},     {"\xED\xA0", 2},   {"\x80\x80\x80", 3},
      {"x\xFF", 2},    {"\xF4\x90", 2},     {"\xE2\x82\xE2", 2},
  };
  for (const auto& [bytes, expected] : cases) {
    EXPECT_EQ(CompleteUtf8Prefix(bytes), expected) << testing::PrintToString(bytes);
  }
}

// Goal: a text cut anywhere and sanitized in parts reads like the whole. Method: every cut of a text with all lengths.
TEST(Utf8Test, StreamingByCompletePrefixesEqualsSanitizingTheWhole) {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xE2\x82z\xFF\xF0\x9F\xED\xA0\x80 end\xF0\x9F\x98";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    std::string pending = text.substr(0, cut);
    const std::size_t complete = CompleteUtf8Prefix(pending);
    std::string out = SanitizeUtf8(pending.substr(0, complete));
    out += SanitizeUtf8(pending.substr(complete) + text.substr(cut));
    EXPECT_EQ(out, SanitizeUtf8(text)) << "cut at " << cut;
  }
}

}  // namespace
}  // namespace unicode
