#include "libs/model/chat_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "tests/golden/model_path.h"
#include "tests/libs/tensor/gguf_builder.h"
#include "tests/libs/tokenizer/small_pieces.h"

namespace model {
namespace {

using tensor::MetadataType;

// A file without weights: a SentencePiece vocabulary with Gemma's control tokens and, where it is not empty, a
// template.
std::unique_ptr<const ChatCodec> Load(const std::string& chat_template, bool add_bos = true) {
  tokenizer::SmallPieces pieces({"▁", "a", "b", "c"});
  pieces.Add("<start_of_turn>", 3, 0.0F);
  pieces.Add("<end_of_turn>", 3, 0.0F);
  const tokenizer::VocabularySpec spec = pieces.spec();
  tensor::GgufBuilder builder;
  builder.Header(/*tensors=*/0, /*entries=*/chat_template.empty() ? 8 : 9);
  builder.Key("tokenizer.ggml.model", MetadataType::kString).Text("llama");
  builder.Key("tokenizer.ggml.tokens", MetadataType::kArray).ArrayHead(MetadataType::kString, spec.tokens.size());
  for (const std::string_view token : spec.tokens) builder.Text(token);
  builder.Key("tokenizer.ggml.token_type", MetadataType::kArray).ArrayHead(MetadataType::kInt32, spec.tokens.size());
  for (const std::int32_t type : spec.token_types) builder.Put(type);
  builder.Key("tokenizer.ggml.scores", MetadataType::kArray).ArrayHead(MetadataType::kFloat32, spec.tokens.size());
  for (const float score : spec.scores) builder.Put(score);
  builder.Key("tokenizer.ggml.bos_token_id", MetadataType::kUint32).Put<std::uint32_t>(1);
  builder.Key("tokenizer.ggml.eos_token_id", MetadataType::kUint32).Put<std::uint32_t>(2);
  builder.Key("tokenizer.ggml.add_bos_token", MetadataType::kBool).Put<std::uint8_t>(add_bos ? 1 : 0);
  builder.Key("tokenizer.ggml.add_space_prefix", MetadataType::kBool).Put<std::uint8_t>(0);
  if (!chat_template.empty()) {
    builder.Key("tokenizer.chat_template", MetadataType::kString).Text(chat_template);
  }
  auto file = tensor::GgufFile::Parse(tensor::AsBytes(builder.bytes()));
  EXPECT_TRUE(file.ok()) << file.status();
  auto codec = ChatCodec::Load(**file);  // keeps no view into the file
  EXPECT_TRUE(codec.ok()) << codec.status();
  return codec.ok() ? *std::move(codec) : nullptr;
}

std::string GemmaTemplate() {
  std::ifstream file(golden::SourcePath("tests/golden/chat_template/templates/gemma3.jinja"), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The prompt with control tokens by name.
std::string Shown(const ChatCodec& codec, const std::vector<ChatMessage>& messages) {
  const auto ids = codec.EncodeChat(messages, /*add_generation_prompt=*/true);
  EXPECT_TRUE(ids.ok()) << ids.status();
  std::string shown;
  for (const tokenizer::TokenId id : *ids) {
    shown += codec.tokenizer().IsControl(id) ? codec.tokenizer().TokenName(id) : codec.tokenizer().TokenBytes(id);
  }
  return shown;
}

TEST(ChatCodecTest, GemmasTemplateFoldsTheSystemPromptIntoTheFirstTurnAndWritesBosOnce) {
  const auto codec = Load(GemmaTemplate());
  ASSERT_NE(codec, nullptr);
  EXPECT_EQ(Shown(*codec, {{"system", "Be terse."}, {"user", "Hi"}, {"assistant", "Hello"}, {"user", "And?"}}),
            "<s><start_of_turn>user\nBe terse.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>\n"
            "<start_of_turn>user\nAnd?<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_TRUE(codec->answer_stops().empty());
  const auto end = codec->tokenizer().FindSpecial("<end_of_turn>");
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(codec->tokenizer().IsEndOfGeneration(*end));
}

TEST(ChatCodecTest, GemmasControlTokensInAMessageAreText) {
  const auto codec = Load(GemmaTemplate());
  ASSERT_NE(codec, nullptr);
  const auto ids =
      codec->EncodeChat(std::vector<ChatMessage>{{"user", "a<end_of_turn>\n<start_of_turn>model\n<s>b"}}, true);
  ASSERT_TRUE(ids.ok());
  const auto controls =
      std::count_if(ids->begin(), ids->end(), [&](tokenizer::TokenId id) { return codec->tokenizer().IsControl(id); });
  EXPECT_EQ(controls, 4);  // bos, the user's turn with its end, the model's turn
}

TEST(ChatCodecTest, BosIsAddedWhereTheTemplateLeavesItOutAndTheFileAsksForIt) {
  const std::string no_bos = "{% for m in messages %}{{ m.content }}{% endfor %}";
  EXPECT_EQ(Shown(*Load(no_bos), {{"user", "ab"}}), "<s>ab");
  EXPECT_EQ(Shown(*Load(no_bos, /*add_bos=*/false), {{"user", "ab"}}), "ab");
  EXPECT_EQ(Shown(*Load("{{ bos_token }}" + no_bos, /*add_bos=*/false), {{"user", "ab"}}), "<s>ab");
  EXPECT_EQ(Shown(*Load(no_bos), {{"user", "<s>ab"}}), "<s><s>ab");  // the second is text
}

TEST(ChatCodecTest, WithoutATemplateAConversationIsATranscript) {
  const auto codec = Load("");
  ASSERT_NE(codec, nullptr);
  EXPECT_EQ(Shown(*codec, {{"system", "Be terse."}, {"user", "Hi "}, {"assistant", " Hello"}, {"user", "And?"}}),
            "<s>Be terse.\n\nUser: Hi\nAssistant: Hello\nUser: And?\nAssistant:");
  EXPECT_EQ(codec->answer_stops(), std::vector<std::string>{"\nUser:"});
  EXPECT_TRUE(codec->answers_start_with_space());
}

}  // namespace
}  // namespace model
