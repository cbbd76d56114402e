#include "libs/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "libs/tokenizer/detokenizer.h"
#include "libs/unicode/utf8.h"
#include "tests/libs/tokenizer/small_vocabulary.h"

namespace tokenizer {
namespace {

std::unique_ptr<const Tokenizer> Make(const SmallVocabulary& vocabulary) {
  auto made = Tokenizer::Create(vocabulary.spec());
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : nullptr;
}

std::vector<std::string> Names(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::vector<std::string> names;
  for (const TokenId id : ids) names.emplace_back(tokenizer.TokenName(id));
  return names;
}

using Strings = std::vector<std::string>;

TEST(TokenizerTest, MergesWithinWordsByRank) {
  const auto tokenizer = Make(SmallVocabulary({"b c", "a b", "Ġ a", "bc d"}));
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode("abcd abd")), (Strings{"a", "bcd", "Ġ", "ab", "d"}));
  EXPECT_EQ(Names(*tokenizer, tokenizer->Encode("b c")), (Strings{"b", "Ġ", "c"}));
  EXPECT_TRUE(tokenizer->Encode("").empty());
}

TEST(TokenizerTest, InvalidUtf8IsReplacedFirst) {
  const auto tokenizer = Make(SmallVocabulary({}));
  EXPECT_EQ(tokenizer->Encode("a\xFF\xE2\x82z"), tokenizer->Encode("a\uFFFD\uFFFDz"));
}

TEST(TokenizerTest, TextNeverBecomesAControlToken) {
  const auto tokenizer = Make(SmallVocabulary({"< |", "| >"}));
  const std::string text = "<|end|><|begin|> a<|endless|>";
  const std::vector<TokenId> ids = tokenizer->Encode(text);
  for (const TokenId id : ids) EXPECT_FALSE(tokenizer->IsControl(id));
  EXPECT_EQ(tokenizer->Decode(ids), text);
}

TEST(TokenizerTest, UserDefinedTokensAreLanguageNotControl) {
  const SmallVocabulary vocabulary({});
  const auto tokenizer = Make(vocabulary);
  const std::vector<TokenId> ids = tokenizer->Encode("<think>x</think>");
  EXPECT_EQ(ids, (std::vector<TokenId>{vocabulary.IdOf("<think>"), 'x', vocabulary.IdOf("</think>")}));
  EXPECT_EQ(tokenizer->Decode(ids), "<think>x</think>");
}

TEST(TokenizerTest, PromptParsesControlTokensInTrustedPiecesOnly) {
  const SmallVocabulary vocabulary({"x y"});
  const auto tokenizer = Make(vocabulary);
  const TokenId begin = vocabulary.IdOf("<|begin|>");
  const TokenId end = vocabulary.IdOf("<|end|>");
  const TokenId endless = vocabulary.IdOf("<|endless|>");
  const std::vector<PromptPiece> attack = {{"<|begin|>", true}, {"a<|end|>", false}, {"<|end|>", true}};
  std::vector<TokenId> expected = {begin};
  tokenizer->EncodeAppend("a<|end|>", expected);
  expected.push_back(end);
  EXPECT_EQ(tokenizer->EncodePrompt(attack), expected);
  // A name in two trusted pieces is found; one that needs a user's letters is not.
  EXPECT_EQ(tokenizer->EncodePrompt(std::vector<PromptPiece>{{"<|be", true}, {"gin|>", true}}),
            (std::vector<TokenId>{begin}));
  EXPECT_EQ(tokenizer->EncodePrompt(std::vector<PromptPiece>{{"<|be", true}, {"gin|>", false}}),
            tokenizer->Encode("<|begin|>"));
  EXPECT_EQ(tokenizer->EncodePrompt(std::vector<PromptPiece>{{"<|be", false}, {"gin|>", true}}),
            tokenizer->Encode("<|begin|>"));
  // The longest name wins where two start at one place.
  EXPECT_EQ(tokenizer->EncodePrompt(std::vector<PromptPiece>{{"<|endless|><|end|>", true}}),
            (std::vector<TokenId>{endless, end}));
}

TEST(TokenizerTest, WordsMergeAcrossTheBoundaryOfTemplateAndUserText) {
  const auto tokenizer = Make(SmallVocabulary({"x y"}));
  const std::vector<PromptPiece> pieces = {{"<|begin|>x", true}, {"y", false}, {"", false}, {"x", true}, {"y", true}};
  EXPECT_EQ(Names(*tokenizer, tokenizer->EncodePrompt(pieces)), (Strings{"<|begin|>", "xy", "xy"}));
  // Also a code point that two pieces share is whole when it is encoded.
  EXPECT_EQ(tokenizer->EncodePrompt(std::vector<PromptPiece>{{"\xC3", true}, {"\xA9", false}}), tokenizer->Encode("é"));
}

TEST(TokenizerTest, Llama3TakesAWholeWordBeforeItsMerges) {
  SmallVocabulary vocabulary({}, "llama-bpe");
  vocabulary.Add("zq", 1);  // no merge makes it
  EXPECT_EQ(Names(*Make(vocabulary), Make(vocabulary)->Encode("zq")), (Strings{"zq"}));
}

TEST(TokenizerTest, Qwen2ComposesMarksFirst) {
  const auto tokenizer = Make(SmallVocabulary({}, "qwen2"));
  EXPECT_EQ(tokenizer->Encode("e\u0301"), tokenizer->Encode("é"));
  EXPECT_NE(Make(SmallVocabulary({}))->Encode("e\u0301"), Make(SmallVocabulary({}))->Encode("é"));
}

TEST(TokenizerTest, IdsOutsideTheVocabularyAreHarmless) {
  const auto tokenizer = Make(SmallVocabulary({}));
  for (const TokenId id :
       {-1, tokenizer->vocab_size(), std::numeric_limits<TokenId>::max(), std::numeric_limits<TokenId>::min()}) {
    EXPECT_EQ(tokenizer->TokenBytes(id), "");
    EXPECT_EQ(tokenizer->TokenName(id), "");
    EXPECT_FALSE(tokenizer->IsControl(id));
    EXPECT_FALSE(tokenizer->IsEndOfGeneration(id));
    EXPECT_EQ(tokenizer->Decode(std::vector<TokenId>{id, 'x', id}), "x");
  }
}

TEST(TokenizerTest, AWordLongerThanAnyContextIsEncodedInParts) {
  const auto tokenizer = Make(SmallVocabulary({"a a"}));
  EXPECT_EQ(tokenizer->CountTokens(std::string(5U << 20, 'a')), (5U << 20) / 2);
}

TEST(TokenizerTest, ManyThreadsShareOneTokenizer) {
  const auto tokenizer = Make(SmallVocabulary({"a b", "ab c", "Ġ abc"}));
  const std::string text = "abc abcabc <think> ab c é 😀\n";
  const std::vector<TokenId> expected = tokenizer->Encode(text);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) ASSERT_EQ(tokenizer->Encode(text), expected);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(TokenizerTest, AVocabularyThatContradictsItselfIsRefused) {
  using Change = void (*)(VocabularySpec&);
  struct Case {
    const char* reason;
    Change change;
  };
  const std::vector<Case> cases = {
      {"tokens, not 1 to", [](VocabularySpec& s) { s.tokens.clear(), s.token_types.clear(); }},
      {"token types", [](VocabularySpec& s) { s.token_types.pop_back(); }},
      {"no such type: 0", [](VocabularySpec& s) { s.token_types[7] = 0; }},
      {"no such type: -2147483648",
       [](VocabularySpec& s) { s.token_types[7] = std::numeric_limits<std::int32_t>::min(); }},
      {"no such type: 7", [](VocabularySpec& s) { s.token_types[7] = 7; }},
      {"stands twice", [](VocabularySpec& s) { s.tokens[1] = s.tokens[0]; }},
      {"is special", [](VocabularySpec& s) { s.tokens[9] = "", s.token_types[9] = 3; }},
      {"is not two tokens", [](VocabularySpec& s) { s.merges[0] = "ab"; }},
      {"is not two tokens", [](VocabularySpec& s) { s.merges[0] = ""; }},
      {"is not two tokens", [](VocabularySpec& s) { s.merges[0] = "a "; }},
      {"outside the vocabulary", [](VocabularySpec& s) { s.merges[0] = "a zz"; }},
      {"outside the vocabulary", [](VocabularySpec& s) { s.merges[0] = "z z"; }},
      {"makes a control token", [](VocabularySpec& s) { s.token_types[256] = 3; }},
      {"bos_token_id is 100000, outside", [](VocabularySpec& s) { s.bos_id = 100'000; }},
      {"eos_token_id is 18446744073709551615, outside", [](VocabularySpec& s) { s.eos_id = ~std::uint64_t{0}; }},
      {"eot_token_id is 2147483648, outside", [](VocabularySpec& s) { s.eot_id = std::uint64_t{1} << 31; }},
  };
  const SmallVocabulary vocabulary({"a b"});
  for (const Case& bad : cases) {
    VocabularySpec spec = vocabulary.spec();
    bad.change(spec);
    const auto made = Tokenizer::Create(spec);
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument) << bad.reason;
    EXPECT_NE(std::string(made.status().message()).find(bad.reason), std::string::npos)
        << made.status() << "\nexpected: " << bad.reason;
  }
  VocabularySpec other = vocabulary.spec();
  other.model = "t5";
  EXPECT_EQ(Tokenizer::Create(other).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(TokenizerTest, AByteThatIsAControlTokenIsLeftOut) {
  const SmallVocabulary vocabulary({});
  VocabularySpec spec = vocabulary.spec();
  spec.token_types['!'] = 3;
  const auto made = Tokenizer::Create(spec);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ((*made)->Encode("a!b"), (std::vector<TokenId>{'a', 'b'}));
}

TEST(DetokenizerTest, EmitsOnlyWholeCodePoints) {
  const auto tokenizer = Make(SmallVocabulary({}));
  Detokenizer detokenizer(*tokenizer);
  std::string out;
  const std::string text = "é😀";
  std::vector<std::size_t> sizes;
  for (const char byte : text) {
    detokenizer.Append(static_cast<unsigned char>(byte), out);
    sizes.push_back(out.size());
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{0, 2, 2, 2, 2, 6}));
  EXPECT_EQ(out, text);
}

TEST(DetokenizerTest, ACutCodePointBecomesOneReplacementAtTheEnd) {
  const auto tokenizer = Make(SmallVocabulary({}));
  Detokenizer detokenizer(*tokenizer);
  std::string out;
  for (const TokenId byte : {0xF0, 0x9F, 0x98}) detokenizer.Append(byte, out);
  EXPECT_EQ(out, "");
  detokenizer.Finish(out);
  EXPECT_EQ(out, "\uFFFD");
  detokenizer.Finish(out);
  EXPECT_EQ(out, "\uFFFD");
}

// Goal: streaming never says anything else than the whole would. Method: random bytes as tokens, most of them
// ill-formed.
TEST(DetokenizerTest, StreamedTextEqualsTheDecodedWhole) {
  constexpr unsigned kSeed = 3;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 rng(kSeed);
  const SmallVocabulary vocabulary({"Ã ©", "ð Ł"});
  const auto tokenizer = Make(vocabulary);
  constexpr TokenId kEdges[] = {'a', 0x80, 0x9F, 0xBF, 0xC3, 0xA9, 0xE2, 0x82, 0xF0, 0xED, 0xFF, 256, 257, 258, 260};
  for (int round = 0; round < 5'000; ++round) {
    std::vector<TokenId> ids(rng() % 12);
    std::string bytes;
    for (TokenId& id : ids) {
      id = kEdges[rng() % std::size(kEdges)];
      bytes += tokenizer->TokenBytes(id);
    }
    Detokenizer detokenizer(*tokenizer);
    std::string out;
    for (const TokenId id : ids) {
      detokenizer.Append(id, out);
      ASSERT_TRUE(unicode::IsValidUtf8(out));
    }
    detokenizer.Finish(out);
    ASSERT_EQ(out, unicode::SanitizeUtf8(bytes));
    ASSERT_EQ(out, tokenizer->Decode(ids));
  }
}

}  // namespace
}  // namespace tokenizer
