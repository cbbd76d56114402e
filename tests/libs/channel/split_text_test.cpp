#include "libs/channel/internal/split_text.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/libs/channel/split_contract.h"

namespace channel {
namespace {

constexpr TextLimit kLimit{LengthUnit::kCodePoints, 300};

std::string Repeat(std::string_view piece, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += piece;
  return text;
}

TEST(SplitTextTest, TextThatFitsIsOnePart) {
  EXPECT_EQ(SplitText("Paris.", kLimit), std::vector<std::string>{"Paris."});
  EXPECT_EQ(SplitText(Repeat("a", 300), kLimit).size(), 1u);
  EXPECT_EQ(SplitText(Repeat("a", 301), kLimit).size(), 2u);
}

TEST(SplitTextTest, NothingButWhiteSpaceGivesNoPart) {
  EXPECT_TRUE(SplitText("", kLimit).empty());
  EXPECT_TRUE(SplitText(" \n\t\u3000", kLimit).empty());
  EXPECT_EQ(SplitText("  hi \n", kLimit), std::vector<std::string>{"hi"});
}

TEST(SplitTextTest, PrefersParagraphThenLineThenSentenceThenWord) {
  const std::string words = Repeat("word ", 35);  // 175 characters
  const std::string tail = Repeat("tail ", 40);
  EXPECT_EQ(SplitText(words + "one.\n\nTwo three. Four\nfive " + tail, kLimit)[0], words + "one.");
  EXPECT_EQ(SplitText(words + "one. Two\nthree. Four five " + tail, kLimit)[0], words + "one. Two");
  EXPECT_EQ(SplitText(words + "one! (Two.) Three four " + tail, kLimit)[0], words + "one! (Two.)");
  EXPECT_EQ(SplitText(Repeat("a", 299) + " bc", kLimit)[0], Repeat("a", 299));
}

TEST(SplitTextTest, EarlyBoundaryDoesNotLeaveAShortPart) {
  const std::vector<std::string> parts = SplitText("Title\n\n" + Repeat("word ", 80), kLimit);
  EXPECT_GT(parts[0].size(), 250u);
}

TEST(SplitTextTest, LongWordStaysWholeWhenAWordBoundaryStandsBeforeIt) {
  const std::string url = "https://example.com/" + Repeat("x", 270);
  EXPECT_EQ(SplitText("See this one: " + url, kLimit), (std::vector<std::string>{"See this one:", url}));
}

TEST(SplitTextTest, SentencesWithoutSpacesAreSeen) {
  const std::string sentence = Repeat("\u6587", 199) + "\u3002";  // 200 ideographs with a full stop
  EXPECT_EQ(SplitText(sentence + sentence, kLimit), (std::vector<std::string>{sentence, sentence}));
}

TEST(SplitTextTest, FamilyEmojiIsNeverCut) {
  const std::string family = "\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466";  // 7 code points, 25 bytes
  for (const std::string& part : SplitText(Repeat(family, 100), kLimit)) {
    EXPECT_EQ(part.size() % family.size(), 0u);
    EXPECT_LE(LengthOf(part, LengthUnit::kCodePoints), 300u);
  }
}

TEST(SplitTextTest, InstagramCountsBytes) {
  const std::vector<std::string> parts = SplitText(Repeat("\u00e9", 501), kInstagramTextLimit);  // 1,002 bytes
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].size(), 1000u);
  EXPECT_EQ(parts[1].size(), 2u);
}

TEST(SplitTextTest, TwentiethPartEndsWithAnEllipsis) {
  const std::vector<std::string> parts = SplitText(Repeat("lorem ipsum ", 1000), kLimit);
  ASSERT_EQ(parts.size(), kTextPartsMax);
  EXPECT_TRUE(parts.back().ends_with("\u2026"));
  EXPECT_LE(LengthOf(parts.back(), LengthUnit::kCodePoints), 300u);
  EXPECT_FALSE(parts[18].ends_with("\u2026"));
}

TEST(SplitTextTest, TwentyFullPartsNeedNoEllipsis) {
  const std::vector<std::string> parts = SplitText(Repeat("a", 6000), kLimit);
  ASSERT_EQ(parts.size(), kTextPartsMax);
  EXPECT_EQ(parts.back(), Repeat("a", 300));
}

TEST(SplitTextTest, IllFormedBytesBecomeReplacementCharacters) {
  EXPECT_EQ(SplitText("a\xff"
                      "b",
                      kLimit),
            std::vector<std::string>{"a\uFFFDb"});
}

// What the property test and the fuzz target rest on.
TEST(SplitTextTest, EachBrokenPromiseIsNoticed) {
  const std::string long_word = Repeat("a", 301);
  const auto broken = [](std::vector<std::string> parts, std::string_view text, std::size_t parts_max = 20) {
    return BrokenPromise(parts, text, kLimit, parts_max);
  };
  EXPECT_EQ(broken({"one two"}, " one two "), "");
  EXPECT_EQ(broken({"one", "two"}, "one two", 1), "too many parts");
  EXPECT_EQ(broken({"one two", ""}, "one two"), "a part is empty");
  EXPECT_EQ(broken({long_word}, long_word), "a part is too long");
  EXPECT_EQ(broken({"one\xff"}, "one\xff"), "a part is not UTF-8");
  EXPECT_EQ(broken({"one", "three"}, "one two three"), "text is lost, or was not there");
  EXPECT_EQ(broken({"one", "one"}, "one"), "text is lost, or was not there");
  EXPECT_EQ(broken({"e", "\u0301"}, "e\u0301"), "a grapheme is cut");
  EXPECT_EQ(broken({"one", "two"}, "one two"), "what fits is cut");
  EXPECT_EQ(broken({Repeat("a", 300)}, long_word), "the end is lost");
  EXPECT_EQ(broken({Repeat("a", 299) + "\u2026"}, long_word, 1), "");
  EXPECT_EQ(broken({long_word.substr(2), "aa\u2026"}, long_word, 2), "an ellipsis in the place of nothing");
}

// Goal: whatever the text, parts fit, are not empty, lose nothing but white space and cut no grapheme.
// Method: random texts of pieces that are hard to cut, from a seed, under all three channels' limits.
TEST(SplitTextTest, RandomTextsKeepTheContract) {
  static constexpr std::string_view kPieces[] = {"a",
                                                 "word ",
                                                 "\n",
                                                 "\n\n",
                                                 ". ",
                                                 "! ",
                                                 "\r\n",
                                                 "\u00e9",
                                                 "e\u0301",
                                                 "\u6587\u5b57\u3002",
                                                 "\U0001F468\u200D\U0001F469\u200D\U0001F467",
                                                 "\U0001F1E9\U0001F1EA",
                                                 "\u0939\u093f\u0928\u094d\u0926\u0940 ",
                                                 "    ",
                                                 "\u3000",
                                                 "\"quoted.\" ",
                                                 "https://example.com/a/b/c?d=e",
                                                 " \u0301",
                                                 "\t"};
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 rng(seed);
  for (int round = 0; round < 300; ++round) {
    const std::string_view favourite = kPieces[rng() % std::size(kPieces)];
    std::string text;
    for (std::size_t n = rng() % 4000; n > 0; --n)
      text += rng() % 3 == 0 ? favourite : kPieces[rng() % std::size(kPieces)];
    for (const TextLimit limit : {kWhatsAppTextLimit, kMessengerTextLimit, kInstagramTextLimit}) {
      ASSERT_EQ(BrokenPromise(SplitText(text, limit), text, limit), "");
      ASSERT_EQ(BrokenPromise(SplitText(text, limit, 2), text, limit, 2), "");
    }
  }
}

}  // namespace
}  // namespace channel
