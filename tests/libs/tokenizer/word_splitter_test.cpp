#include "libs/tokenizer/internal/word_splitter.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "libs/unicode/utf8.h"

namespace tokenizer {
namespace {

using Words = std::vector<std::string>;

Words Split(PreTokenizer kind, std::string_view text) {
  Words words;
  WordSplitter splitter(kind, text);
  while (const auto word = splitter.Next()) words.emplace_back(*word);
  return words;
}

TEST(WordSplitterTest, Gpt2KeepsOneSpaceWithAWordAndLeavesTheRest) {
  constexpr auto kKind = PreTokenizer::kGpt2;
  EXPECT_EQ(Split(kKind, "Hello  world!"), (Words{"Hello", " ", " world", "!"}));
  EXPECT_EQ(Split(kKind, "a\n\n b"), (Words{"a", "\n\n", " b"}));
  EXPECT_EQ(Split(kKind, "a \n"), (Words{"a", " \n"}));
  EXPECT_EQ(Split(kKind, "a\tb"), (Words{"a", "\t", "b"}));
  EXPECT_EQ(Split(kKind, "it's WE'RE you'll o'x"),
            (Words{"it", "'s", " WE", "'", "RE", " you", "'ll", " o", "'", "x"}));
  EXPECT_EQ(Split(kKind, "x=12 345;"), (Words{"x", "=", "12", " 345", ";"}));
  EXPECT_EQ(Split(kKind, ""), Words{});
}

TEST(WordSplitterTest, SmolLmPutsEveryDigitAlone) {
  constexpr auto kKind = PreTokenizer::kSmolLm;
  EXPECT_EQ(Split(kKind, "in 1984, x²"), (Words{"in", " ", "1", "9", "8", "4", ",", " x", "²"}));
  // A run of spaces before a digit ends its stretch, so all of it is one word; before a letter the last goes with it.
  EXPECT_EQ(Split(kKind, "a  1  b"), (Words{"a", "  ", "1", " ", " b"}));
}

TEST(WordSplitterTest, Llama3GroupsDigitsByThreeAndTakesNewlinesWithPunctuation) {
  constexpr auto kKind = PreTokenizer::kLlama3;
  EXPECT_EQ(Split(kKind, "1234567"), (Words{"123", "456", "7"}));
  EXPECT_EQ(Split(kKind, "x;\n\ny"), (Words{"x", ";\n\n", "y"}));
  EXPECT_EQ(Split(kKind, "a \n \n  b"), (Words{"a", " \n \n", " ", " b"}));
  EXPECT_EQ(Split(kKind, "(word)\tword"), (Words{"(word", ")", "\tword"}));
  EXPECT_EQ(Split(kKind, "WE'RE we'\u017F"), (Words{"WE", "'RE", " we", "'\u017F"}));
}

TEST(WordSplitterTest, Qwen2IsLlama3WithSingleDigits) {
  EXPECT_EQ(Split(PreTokenizer::kQwen2, "a 12"), (Words{"a", " ", "1", "2"}));
  EXPECT_TRUE(NormalizesToNfc(PreTokenizer::kQwen2));
  EXPECT_FALSE(NormalizesToNfc(PreTokenizer::kSmolLm));
}

TEST(WordSplitterTest, WordsAreNeverEmptyAndJoinToTheText) {
  constexpr unsigned kSeed = 5;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 rng(kSeed);
  constexpr char32_t kAlphabet[] = U"ab'\r\n\t  12²中\u0301😀stre_-.";
  for (int round = 0; round < 5'000; ++round) {
    std::string text;
    for (unsigned i = 0; i < rng() % 30; ++i) unicode::AppendUtf8(kAlphabet[rng() % (std::size(kAlphabet) - 1)], text);
    for (const PreTokenizer kind :
         {PreTokenizer::kGpt2, PreTokenizer::kSmolLm, PreTokenizer::kLlama3, PreTokenizer::kQwen2}) {
      std::string joined;
      for (const std::string& word : Split(kind, text)) {
        ASSERT_FALSE(word.empty());
        joined += word;
      }
      ASSERT_EQ(joined, text);
    }
  }
}

TEST(WordSplitterTest, AnUnknownNameIsUnimplementedAndListsTheKnown) {
  const auto kind = PreTokenizerByName("tekken");
  EXPECT_EQ(kind.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_NE(std::string(kind.status().message()).find("smollm"), std::string::npos);
}

}  // namespace
}  // namespace tokenizer
