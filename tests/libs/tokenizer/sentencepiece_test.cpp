#include "libs/tokenizer/internal/sentencepiece.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "libs/tokenizer/detokenizer.h"
#include "libs/unicode/utf8.h"
#include "tests/libs/tokenizer/small_pieces.h"

namespace tokenizer {
namespace {

using Strings = std::vector<std::string>;

std::unique_ptr<const Tokenizer> Make(const SmallPieces& pieces) {
  auto made = Tokenizer::Create(pieces.spec());
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : nullptr;
}

Strings Names(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  Strings names;
  for (const TokenId id : ids) names.emplace_back(tokenizer.TokenName(id));
  return names;
}

TEST(SentencePieceTest, ThePieceOfHighestScoreMergesFirst) {
  const auto tokenizer = Make(SmallPieces({"bc", "ab", "▁a", "bcd", "a", "b", "c", "d", "▁"}));
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode("abcd abd")), (Strings{"a", "bcd", "▁", "ab", "d"}));
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode("b c a")), (Strings{"b", "▁", "c", "▁a"}));
  EXPECT_TRUE(tokenizer->Encode("").empty());
}

TEST(SentencePieceTest, EqualScoresMergeFromTheLeft) {
  SmallPieces pieces({"a"});
  pieces.Add("aa", 1, -7.0F);
  EXPECT_EQ(Names(*Make(pieces), Make(pieces)->Encode("aaaaa")), (Strings{"aa", "aa", "a"}));
  SmallPieces two({"x", "y", "z"});
  two.Add("xy", 1, -0.0F);  // minus zero is zero
  two.Add("yz", 1, 0.0F);
  EXPECT_EQ(Names(*Make(two), Make(two)->Encode("xyz")), (Strings{"xy", "z"}));
}

TEST(SentencePieceTest, WhatHasNoPieceIsSaidInBytes) {
  const auto tokenizer = Make(SmallPieces({"a"}));
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode("aé\n")), (Strings{"a", "<0xC3>", "<0xA9>", "<0x0A>"}));
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode(" ")), (Strings{"<0x20>"}));
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("aé😀\n ")), "aé😀\n ");
}

// A piece counts even where one of its code points is none: symbols are stretches of text, not ids.
TEST(SentencePieceTest, PiecesMergeFromCodePointsOutsideTheVocabulary) {
  const auto tokenizer = Make(SmallPieces({"xy"}));
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode("xyx")), (Strings{"xy", "<0x78>"}));
}

TEST(SentencePieceTest, TheSpellingOfAByteOrControlTokenIsOnlyText) {
  const auto tokenizer = Make(SmallPieces({"<", "s", ">", "<s", "</", "0", "x"}));
  for (const char* text : {"<s>", "</s>", "<0x41>", "<unk>"}) {
    for (const TokenId id : tokenizer->Encode(text)) EXPECT_FALSE(tokenizer->IsControl(id)) << text;
    EXPECT_EQ(tokenizer->Decode(tokenizer->Encode(text)), text);
  }
  const std::vector<PromptPiece> prompt = {{"<s>", true}, {"<s>", false}, {"</s>", true}};
  EXPECT_EQ(Names(*tokenizer, tokenizer->EncodePrompt(prompt)), (Strings{"<s>", "<s", ">", "</s>"}));
}

TEST(SentencePieceTest, ASpaceBeforeTheTextIsAddedAndTakenOffAgain) {
  const auto tokenizer = Make(SmallPieces({"▁h", "h", "i", "▁"}, /*add_space_prefix=*/true));
  EXPECT_TRUE(tokenizer->add_space_prefix());
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode("hi")), (Strings{"▁h", "i"}));
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode(" hi")), (Strings{"▁", "▁h", "i"}));
  EXPECT_TRUE(tokenizer->Encode("").empty());
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("hi")), "hi");
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("  hi")), "  hi");
  // Each text of a prompt begins anew behind a control token; an empty one gets no space.
  const std::vector<PromptPiece> prompt = {{"<s>h", true}, {"i", false}, {"</s><s>", true}, {"h", false}};
  EXPECT_EQ(Names(*tokenizer, tokenizer->EncodePrompt(prompt)), (Strings{"<s>", "▁h", "i", "</s>", "<s>", "▁h"}));
  const auto without = Make(SmallPieces({"▁h", "h", "i", "▁"}));
  EXPECT_EQ(Names(*without, without->Encode("hi")), (Strings{"h", "i"}));
  EXPECT_EQ(without->Decode(without->Encode(" hi")), " hi");
}

TEST(SentencePieceTest, UserDefinedTokensAreCutOutLongestFirst) {
  SmallPieces pieces({"a", "▁", "▁a", "\n"}, /*add_space_prefix=*/true);
  pieces.Add("\n\n", 4, 0.0F);
  pieces.Add("\n\n\n", 4, 0.0F);
  const TokenId spaces = pieces.Add("  ", 4, 0.0F);  // files write these with spaces
  const auto tokenizer = Make(pieces);
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode("\n\n\n\n\n")), (Strings{"▁", "\n\n\n", "\n\n"}));
  // The space before the text counts as one of them.
  EXPECT_EQ(tokenizer->Encode(" a").front(), spaces);
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("a\n\n  \n\n\n")), "a\n\n  \n\n\n");
}

TEST(SentencePieceTest, TheMarkOfASpaceIsReadAsASpace) {
  const auto tokenizer = Make(SmallPieces({"▁a", "a", "▁"}));
  EXPECT_EQ(tokenizer->Encode("a\u2581a"), tokenizer->Encode("a a"));
  EXPECT_EQ(tokenizer->Decode(tokenizer->Encode("a\u2581a")), "a a");
}

TEST(SentencePieceTest, UnknownAndUnusedTokensTakeNoPart) {
  SmallPieces pieces({"a"});
  pieces.Add("aa", 5, 0.0F);
  const auto tokenizer = Make(pieces);
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode("aa")), (Strings{"a", "a"}));
  EXPECT_EQ(tokenizer->Decode(std::vector<TokenId>{0, 259}), "a");  // <unk> says nothing
}

// The definition, quadratic: look for the best pair, merge it, look again.
Strings MergeByDefinition(const std::map<std::string, float>& scores, std::string_view text) {
  Strings symbols;
  for (const char letter : text) symbols.emplace_back(1, letter);
  while (true) {
    std::size_t best = symbols.size();
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto piece = scores.find(symbols[i] + symbols[i + 1]);
      if (piece == scores.end()) continue;
      if (best == symbols.size() || piece->second > scores.at(symbols[best] + symbols[best + 1])) best = i;
    }
    if (best == symbols.size()) return symbols;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

// Goal: the heap gives what the definition gives. Method: random pieces over few letters, scores of both signs with
// many ties.
TEST(SentencePieceTest, EqualsTheDefinitionOnRandomVocabularies) {
  constexpr unsigned kSeed = 17;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 rng(kSeed);
  for (int round = 0; round < 1'000; ++round) {
    SmallPieces pieces({});
    std::map<std::string, float> scores;
    for (const char* letter : {"a", "b", "c"}) {
      scores[letter] = 0;
      pieces.Add(letter, 1, 0);
    }
    for (unsigned i = 0; i < 1 + rng() % 15; ++i) {
      std::string piece;
      for (unsigned n = 0; n < 2 + rng() % 4; ++n) piece.push_back(static_cast<char>('a' + rng() % 3));
      const auto score = static_cast<float>(static_cast<int>(rng() % 9) - 4) * 0.75F;
      if (scores.emplace(piece, score).second) pieces.Add(piece, 1, score);
    }
    std::string text;
    for (unsigned n = 0; n < rng() % 40; ++n) text.push_back(static_cast<char>('a' + rng() % 3));
    const auto tokenizer = Make(pieces);
    ASSERT_EQ(Names(*tokenizer, tokenizer->Encode(text)), MergeByDefinition(scores, text)) << text;
  }
}

TEST(SentencePieceTest, ATextLongerThanAnyContextIsEncodedInParts) {
  const auto tokenizer = Make(SmallPieces({"éé", "é"}));
  std::string text;
  for (std::size_t i = 0; i < (5U << 19) + 1; ++i) text += "é";  // 5 MiB and a code point
  const std::vector<TokenId> ids = tokenizer->Encode(text);
  EXPECT_EQ(ids.size(), (5U << 18) + 1);
  EXPECT_EQ(tokenizer->Decode(ids), text);
}

TEST(SentencePieceTest, AVocabularyThatContradictsItselfIsRefused) {
  using Change = void (*)(VocabularySpec&);
  struct Case {
    const char* reason;
    Change change;
  };
  static const std::string kLong(1025, 'a');
  const std::vector<Case> cases = {
      {"tokenizer.ggml.scores 0 scores", [](VocabularySpec& s) { s.scores.clear(); }},
      {"scores[5] is not a finite", [](VocabularySpec& s) { s.scores[5] = std::numeric_limits<float>::quiet_NaN(); }},
      {"scores[6] is not a finite", [](VocabularySpec& s) { s.scores[6] = std::numeric_limits<float>::infinity(); }},
      {"no token for the byte 1", [](VocabularySpec& s) { s.token_types[4] = 1; }},
      {"not spelled <0xNN>", [](VocabularySpec& s) { s.tokens[4] = "<0x1>"; }},
      {"not spelled <0xNN>", [](VocabularySpec& s) { s.tokens[4] = "<0xG1>"; }},
      {"has 1025 bytes", [](VocabularySpec& s) { s.tokens[259] = kLong; }},
      {"stands twice", [](VocabularySpec& s) { s.tokens[259] = s.tokens[0]; }},
  };
  const SmallPieces pieces({"a"});
  for (const Case& bad : cases) {
    VocabularySpec spec = pieces.spec();
    bad.change(spec);
    const auto made = Tokenizer::Create(spec);
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument) << bad.reason;
    EXPECT_NE(std::string(made.status().message()).find(bad.reason), std::string::npos)
        << made.status() << "\nexpected: " << bad.reason;
  }
  VocabularySpec other = pieces.spec();
  other.pre = "gemma4";
  EXPECT_EQ(Tokenizer::Create(other).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace tokenizer
