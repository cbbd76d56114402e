// Compares SentencePiece vocabularies with the reference on the 10,000 texts; generate_pieces.py beside this file says
// how golden_pieces.tsv was made. The small vocabulary is always compared, Gemma's where its file is.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/tensor/gguf.h"
#include "libs/tokenizer/detokenizer.h"
#include "libs/tokenizer/tokenizer.h"
#include "libs/unicode/utf8.h"
#include "tests/golden/tokenizer/golden_rows.h"

namespace tokenizer {
namespace {

enum Which : std::size_t { kSmall, kSmallWithSpace, kGemma };

struct PiecesRow {
  std::uint32_t hashes[3]{};
  std::vector<TokenId> ids;  // with the small vocabulary and a space before; empty where the file gives only hashes
};

std::vector<PiecesRow> ReadPiecesRows() {
  std::ifstream file(golden::SourcePath("tests/golden/tokenizer/golden_pieces.tsv"), std::ios::binary);
  EXPECT_TRUE(file.is_open());
  std::vector<PiecesRow> rows;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string_view> fields = golden::Split(line, '\t');
    const std::vector<std::string_view> hashes = golden::Split(fields.at(0), ' ');
    PiecesRow& row = rows.emplace_back();
    for (std::size_t i = 0; i < 3; ++i) row.hashes[i] = golden::Number<std::uint32_t>(hashes.at(i), 16);
    if (fields.at(1) == "-") continue;
    for (const std::string_view id : golden::Split(fields[1], ' ')) row.ids.push_back(golden::Number<TokenId>(id, 10));
  }
  return rows;
}

std::unique_ptr<const Tokenizer> MakeSmall(bool add_space_prefix) {
  std::ifstream file(golden::SourcePath("tests/golden/tokenizer/small_pieces.tsv"), std::ios::binary);
  std::vector<std::string> pieces;
  VocabularySpec spec;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string_view> fields = golden::Split(line, '\t');
    spec.token_types.push_back(golden::Number<std::int32_t>(fields.at(0), 10));
    spec.scores.push_back(std::stof(std::string(fields.at(1))));
    pieces.push_back(golden::Unescaped(fields.at(2)));
  }
  EXPECT_EQ(pieces.size(), 4'000u);
  spec.model = "llama";
  spec.tokens.assign(pieces.begin(), pieces.end());
  spec.add_space_prefix = add_space_prefix;
  auto made = Tokenizer::Create(spec);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : nullptr;
}

// Every text gives the ids of the reference, and the ids give the text.
void CompareAll(const Tokenizer& tokenizer, Which which) {
  const std::vector<Row> texts = ReadRows();
  const std::vector<PiecesRow> rows = ReadPiecesRows();
  ASSERT_EQ(rows.size(), 10'000u);
  ASSERT_EQ(texts.size(), rows.size());
  int given_in_full = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::vector<TokenId> ids = tokenizer.Encode(texts[i].text);
    if (which == kSmallWithSpace && !rows[i].ids.empty()) {
      ++given_in_full;
      ASSERT_EQ(ids, rows[i].ids) << "row " << i + 1;
    }
    ASSERT_EQ(Folded(Fnv1a(ids)), rows[i].hashes[which])
        << "row " << i + 1 << ": " << testing::PrintToString(texts[i].text);
    std::string streamed;
    Detokenizer detokenizer(tokenizer);
    for (const TokenId id : ids) {
      ASSERT_FALSE(tokenizer.IsControl(id)) << "row " << i + 1;
      detokenizer.Append(id, streamed);
      ASSERT_TRUE(unicode::IsValidUtf8(streamed)) << "row " << i + 1;
    }
    detokenizer.Finish(streamed);
    ASSERT_EQ(streamed, unicode::SanitizeUtf8(texts[i].text)) << "row " << i + 1;
  }
  if (which == kSmallWithSpace) {
    EXPECT_GE(given_in_full, 100);
  }
}

TEST(PiecesGoldenTest, SmallVocabularyEqualsTheReference) {
  const auto tokenizer = MakeSmall(/*add_space_prefix=*/false);
  ASSERT_NE(tokenizer, nullptr);
  CompareAll(*tokenizer, kSmall);
}

TEST(PiecesGoldenTest, SmallVocabularyWithASpaceBeforeEqualsTheReference) {
  const auto tokenizer = MakeSmall(/*add_space_prefix=*/true);
  ASSERT_NE(tokenizer, nullptr);
  CompareAll(*tokenizer, kSmallWithSpace);
}

class GemmaGoldenTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string path = golden::GemmaPath();
    if (!std::filesystem::exists(path)) GTEST_SKIP() << path << golden::kGemmaHint;
    auto file = tensor::GgufFile::Open(path);
    ASSERT_TRUE(file.ok()) << file.status();
    auto tokenizer = Tokenizer::Load(**file);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = *std::move(tokenizer);
  }
  std::unique_ptr<const Tokenizer> tokenizer_;
};

TEST_F(GemmaGoldenTest, IdsEqualTheReferenceOnEveryText) { CompareAll(*tokenizer_, kGemma); }

TEST_F(GemmaGoldenTest, KnowsTheSpecialTokensOfTheModel) {
  EXPECT_EQ(tokenizer_->vocab_size(), 262'144);
  EXPECT_EQ(tokenizer_->bos(), 2);
  EXPECT_EQ(tokenizer_->eos(), 1);
  EXPECT_TRUE(tokenizer_->add_bos());
  EXPECT_FALSE(tokenizer_->add_space_prefix());
  EXPECT_EQ(tokenizer_->FindSpecial("<start_of_turn>"), 105);
  EXPECT_EQ(tokenizer_->FindSpecial("<end_of_turn>"), 106);
  EXPECT_TRUE(tokenizer_->IsEndOfGeneration(1));
  EXPECT_TRUE(tokenizer_->IsEndOfGeneration(106));
  EXPECT_FALSE(tokenizer_->IsEndOfGeneration(212));  // "</s>" is a tag of HTML here
}

TEST_F(GemmaGoldenTest, NoTextYieldsAControlToken) {
  std::string all_names;
  for (TokenId id = 0; id < tokenizer_->vocab_size(); ++id) {
    if (tokenizer_->IsControl(id)) all_names += tokenizer_->TokenName(id);
  }
  EXPECT_GT(all_names.size(), 6'000u);
  const std::vector<TokenId> ids = tokenizer_->Encode(all_names);
  for (const TokenId id : ids) ASSERT_FALSE(tokenizer_->IsControl(id));
  EXPECT_EQ(tokenizer_->Decode(ids), all_names);
}

}  // namespace
}  // namespace tokenizer
