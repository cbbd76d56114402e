// Compares the tokenizer with the reference on 10,000 texts; generate.py beside this file says how golden.tsv was made.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/tensor/gguf.h"
#include "libs/tokenizer/detokenizer.h"
#include "libs/tokenizer/internal/gguf_vocabulary.h"
#include "libs/tokenizer/tokenizer.h"
#include "libs/unicode/utf8.h"
#include "tests/golden/model_path.h"
#include "tests/golden/tokenizer/golden_rows.h"

namespace tokenizer {
namespace {

class TokenizerGoldenTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    rows_ = new std::vector<Row>(ReadRows());
    auto file = tensor::GgufFile::Open(golden::ModelPath());
    ASSERT_TRUE(file.ok()) << file.status() << golden::kModelHint;
    file_ = file->release();
  }
  static void TearDownTestSuite() {
    delete rows_;
    delete file_;
    rows_ = nullptr;
    file_ = nullptr;
  }
  void SetUp() override {
    ASSERT_NE(file_, nullptr) << "no model file" << golden::kModelHint;
    ASSERT_EQ(rows_->size(), 10'000u);
  }
  // The file's vocabulary behind another pre-tokenizer.
  static std::unique_ptr<const Tokenizer> MakeTokenizer(std::string_view pre) {
    auto spec = VocabularySpecOf(*file_);
    EXPECT_TRUE(spec.ok()) << spec.status();
    if (!spec.ok()) return nullptr;
    if (!pre.empty()) spec->pre = pre;
    auto made = Tokenizer::Create(*spec);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? *std::move(made) : nullptr;
  }

  static std::vector<Row>* rows_;
  static const tensor::GgufFile* file_;
};

std::vector<Row>* TokenizerGoldenTest::rows_ = nullptr;
const tensor::GgufFile* TokenizerGoldenTest::file_ = nullptr;

TEST_F(TokenizerGoldenTest, IdsEqualTheReferenceOnEveryText) {
  const auto made = Tokenizer::Load(*file_);
  ASSERT_TRUE(made.ok()) << made.status();
  int given_in_full = 0;
  for (std::size_t i = 0; i < rows_->size(); ++i) {
    const Row& row = (*rows_)[i];
    const std::vector<TokenId> ids = (*made)->Encode(row.text);
    if (!row.ids.empty()) {
      ++given_in_full;
      ASSERT_EQ(ids, row.ids) << "row " << i + 1;
    }
    ASSERT_EQ(ids.size(), row.count) << "row " << i + 1;
    ASSERT_EQ(Fnv1a(ids), row.hash) << "row " << i + 1 << ": " << testing::PrintToString(row.text);
  }
  EXPECT_GE(given_in_full, 200);
}

TEST_F(TokenizerGoldenTest, OtherPreTokenizersEqualTheReferenceToo) {
  const std::string_view names[] = {"gpt-2", "llama-bpe", "qwen2"};
  for (std::size_t which = 0; which < 3; ++which) {
    const auto other = MakeTokenizer(names[which]);
    ASSERT_NE(other, nullptr);
    for (std::size_t i = 0; i < rows_->size(); ++i) {
      const Row& row = (*rows_)[i];
      ASSERT_EQ(Folded(Fnv1a(other->Encode(row.text))), row.other_hashes[which])
          << names[which] << ", row " << i + 1 << ": " << testing::PrintToString(row.text);
    }
  }
}

// Goal: what goes in comes out. Bytes that this vocabulary has no token for are left out by the reference as well.
TEST_F(TokenizerGoldenTest, DecodingGivesTheTextBack) {
  const auto own = MakeTokenizer("");
  ASSERT_NE(own, nullptr);
  std::vector<bool> has_token(256, false);
  for (TokenId id = 0; id < own->vocab_size(); ++id) {
    const std::string_view bytes = own->TokenBytes(id);
    if (bytes.size() == 1) has_token[static_cast<unsigned char>(bytes[0])] = true;
  }
  for (std::size_t i = 0; i < rows_->size(); ++i) {
    std::string known;
    for (const char byte : unicode::SanitizeUtf8((*rows_)[i].text)) {
      if (has_token[static_cast<unsigned char>(byte)]) known.push_back(byte);
    }
    const std::vector<TokenId> ids = own->Encode((*rows_)[i].text);
    ASSERT_EQ(own->Decode(ids), unicode::SanitizeUtf8(known)) << "row " << i + 1;
    std::string streamed;
    Detokenizer detokenizer(*own);
    for (const TokenId id : ids) {
      detokenizer.Append(id, streamed);
      ASSERT_TRUE(unicode::IsValidUtf8(streamed)) << "row " << i + 1;
    }
    detokenizer.Finish(streamed);
    ASSERT_EQ(streamed, unicode::SanitizeUtf8(known)) << "row " << i + 1;
  }
}

TEST_F(TokenizerGoldenTest, NoTextYieldsAControlToken) {
  const auto own = MakeTokenizer("");
  ASSERT_NE(own, nullptr);
  std::string all_names;
  for (TokenId id = 0; id < own->vocab_size(); ++id) {
    if (!own->IsControl(id)) continue;
    const std::string name(own->TokenName(id));
    all_names += name;
    for (const std::string& text : {name, "a" + name + "b", name + name, " " + name + "\n", all_names}) {
      for (const TokenId encoded : own->Encode(text)) ASSERT_FALSE(own->IsControl(encoded)) << text;
    }
  }
  for (const Row& row : *rows_) {
    for (const TokenId id : own->Encode(row.text)) ASSERT_FALSE(own->IsControl(id));
  }
}

TEST_F(TokenizerGoldenTest, KnowsTheSpecialTokensOfTheModel) {
  const auto own = MakeTokenizer("");
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(own->vocab_size(), 49'152);
  EXPECT_EQ(own->bos(), 1);
  EXPECT_EQ(own->eos(), 2);
  EXPECT_EQ(own->eot(), 2);
  EXPECT_FALSE(own->add_bos());
  EXPECT_EQ(own->FindSpecial("<|im_end|>"), 2);
  EXPECT_EQ(own->FindSpecial("the"), std::nullopt);
  EXPECT_TRUE(own->IsEndOfGeneration(0));  // <|endoftext|>
  EXPECT_TRUE(own->IsEndOfGeneration(2));
  EXPECT_FALSE(own->IsEndOfGeneration(1));
}

}  // namespace
}  // namespace tokenizer
