#include "libs/model/chat_codec.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/chat_template/template.h"

namespace model {
namespace {

constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

std::string NameOf(const tokenizer::Tokenizer& tokenizer, std::optional<tokenizer::TokenId> id) {
  return id.has_value() ? std::string(tokenizer.TokenName(*id)) : std::string();
}

}  // namespace

ChatCodec::ChatCodec(std::unique_ptr<const tokenizer::Tokenizer> tokenizer,
                     std::unique_ptr<const chat_template::Template> chat_template)
    : tokenizer_(std::move(tokenizer)), template_(std::move(chat_template)) {}

ChatCodec::~ChatCodec() = default;

absl::StatusOr<std::unique_ptr<const ChatCodec>> ChatCodec::Load(const tensor::GgufFile& file) {
  auto tokenizer = tokenizer::Tokenizer::Load(file);
  if (!tokenizer.ok()) return tokenizer.status();
  const absl::StatusOr<std::string_view> source = file.GetString(kTemplateKey);
  if (!source.ok()) return source.status();
  auto parsed = chat_template::Template::Parse(*source);
  if (!parsed.ok()) {
    return absl::Status(parsed.status().code(), base::StrCat(kTemplateKey, ": ", parsed.status().message()));
  }
  return std::unique_ptr<const ChatCodec>(new ChatCodec(*std::move(tokenizer), *std::move(parsed)));
}

absl::StatusOr<std::vector<tokenizer::TokenId>> ChatCodec::EncodeChat(std::span<const ChatMessage> messages,
                                                                      bool add_generation_prompt) const {
  chat_template::Inputs inputs;
  inputs.messages.reserve(messages.size());
  for (const ChatMessage& message : messages) inputs.messages.push_back({message.role, message.content});
  inputs.add_generation_prompt = add_generation_prompt;
  inputs.bos_token = NameOf(*tokenizer_, tokenizer_->bos());
  inputs.eos_token = NameOf(*tokenizer_, tokenizer_->eos());
  inputs.now = std::chrono::system_clock::now();
  const auto pieces = template_->Render(inputs);
  if (!pieces.ok()) return pieces.status();
  std::vector<tokenizer::PromptPiece> prompt;
  prompt.reserve(pieces->size());
  for (const chat_template::Piece& piece : *pieces) prompt.push_back({piece.text, !piece.from_user});
  return tokenizer_->EncodePrompt(prompt);
}

}  // namespace model
