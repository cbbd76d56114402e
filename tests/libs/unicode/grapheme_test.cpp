#include "libs/unicode/grapheme.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "libs/unicode/utf8.h"

namespace unicode {
namespace {

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> clusters;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = NextGrapheme(text, at);
    clusters.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return clusters;
}

TEST(GraphemeTest, KeepsWhatAReaderSeesAsOneCharacterTogether) {
  const std::vector<std::vector<std::string>> texts = {
      {"a", "b", " ", "c"},
      {"e\u0301", "x"},                                     // combining accent
      {"\r\n", "\n"},                                       // CR LF
      {"👨‍👩‍👧‍👦", "👍🏽", "❤️"},  // ZWJ family, skin tone, variation selector
      {"🇫🇷", "🇯🇵", "🇺"},                                    // flags are pairs
      {"각", "ᄒ\u1161\u11AB"},                             // Hangul syllable and conjoining jamo
      {"क\u093F", "न\u0940"},                               // Devanagari vowel signs
      {"1\uFE0F\u20E3"},                                    // keycap
      {"🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F", "!"},  // flag of England (tag sequence)
  };
  for (const std::vector<std::string>& clusters : texts) {
    std::string text;
    for (const std::string& cluster : clusters) text += cluster;
    EXPECT_EQ(Split(text), clusters);
  }
}

TEST(GraphemeTest, IllFormedBytesStandAlone) {
  EXPECT_EQ(Split("a\xFF\xCC\x81"), (std::vector<std::string>{"a", "\xFF", "\xCC\x81"}));
  EXPECT_EQ(Split("\xE2\x82z"), (std::vector<std::string>{"\xE2\x82", "z"}));
}

TEST(GraphemeTest, AnEndlessClusterIsCutAtACodePoint) {
  std::string text = "a";
  for (int i = 0; i < 100'000; ++i) text += "\u0301";
  const std::vector<std::string> clusters = Split(text);
  std::string joined;
  for (const std::string& cluster : clusters) {
    EXPECT_LE(cluster.size(), kGraphemeBytesMax);
    EXPECT_TRUE(IsValidUtf8(cluster));
    joined += cluster;
  }
  EXPECT_EQ(joined, text);
}

TEST(GraphemeTest, AnyBytesAreWalkedToTheirEnd) {
  constexpr unsigned kSeed = 7;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 rng(kSeed);
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes(rng() % 64, '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng());
    std::string joined;
    for (const std::string& cluster : Split(bytes)) joined += cluster;
    ASSERT_EQ(joined, bytes);
  }
}

}  // namespace
}  // namespace unicode
