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

// What a model without a template continues well: a play in which it speaks one part.
constexpr std::string_view kTranscript =
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content | trim + '\n\n' }}"
    "{% elif message.role == 'user' %}{{ 'User: ' + message.content | trim + '\n' }}"
    "{% else %}{{ 'Assistant: ' + message.content | trim + '\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}";
constexpr std::string_view kTranscriptStop = "\nUser:";

std::string NameOf(const tokenizer::Tokenizer& tokenizer, std::optional<tokenizer::TokenId> id) {
  return id.has_value() ? std::string(tokenizer.TokenName(*id)) : std::string();
}

}  // namespace

ChatCodec::ChatCodec(std::unique_ptr<const tokenizer::Tokenizer> tokenizer,
                     std::unique_ptr<const chat_template::Template> chat_template, bool transcript)
    : tokenizer_(std::move(tokenizer)), template_(std::move(chat_template)), transcript_(transcript) {
  if (transcript_) answer_stops_.emplace_back(kTranscriptStop);
}

ChatCodec::~ChatCodec() = default;

absl::StatusOr<std::unique_ptr<const ChatCodec>> ChatCodec::Load(const tensor::GgufFile& file) {
  auto tokenizer = tokenizer::Tokenizer::Load(file);
  if (!tokenizer.ok()) return tokenizer.status();
  const bool transcript = !file.Has(kTemplateKey);
  const absl::StatusOr<std::string_view> source = transcript ? kTranscript : file.GetString(kTemplateKey);
  if (!source.ok()) return source.status();
  auto parsed = chat_template::Template::Parse(*source);
  if (!parsed.ok()) {
    return absl::Status(parsed.status().code(), base::StrCat(kTemplateKey, ": ", parsed.status().message()));
  }
  return std::unique_ptr<const ChatCodec>(new ChatCodec(*std::move(tokenizer), *std::move(parsed), transcript));
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
  std::vector<tokenizer::TokenId> ids = tokenizer_->EncodePrompt(prompt);
  // Most templates write bos themselves; a prompt has it once.
  const std::optional<tokenizer::TokenId> bos = tokenizer_->bos();
  if (tokenizer_->add_bos() && bos.has_value() && (ids.empty() || ids.front() != *bos)) ids.insert(ids.begin(), *bos);
  return ids;
}

}  // namespace model
