#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/tensor/gguf.h"
#include "libs/tokenizer/tokenizer.h"

namespace chat_template {
class Template;
}

namespace model {

struct ChatMessage {
  std::string role;     // "system", "user", "assistant"
  std::string content;  // any text; special tokens inside it are never control
};

// What a model file knows about text: its tokenizer and its chat template, so that a conversation becomes token ids. It
// is here, one layer above both, because tokenizer and chat_template know nothing of each other.
//
// A base model's file has no template. Its conversations are written as a transcript ("User: ...", "Assistant: ..."),
// which is plain text: a user can write a turn of the assistant into it, so such a model is for trying, not for
// serving.
//
// Threading: immutable after Load; safe from any thread. Keeps no view into the file.
class ChatCodec {
 public:
  // NotFound, InvalidArgument, Unimplemented: the file's metadata lack, contradict or exceed what is supported. All
  // permanent.
  static absl::StatusOr<std::unique_ptr<const ChatCodec>> Load(const tensor::GgufFile& file);

  ~ChatCodec();

  const tokenizer::Tokenizer& tokenizer() const { return *tokenizer_; }

  // The conversation as the model's own template writes it; with `add_generation_prompt` it ends where the assistant's
  // next message begins. A control token in the result always comes from the template, never from a message; bos
  // stands first, once, where the file asks for it.
  // InvalidArgument: the template refuses the conversation (for example, roles that do not alternate); permanent.
  absl::StatusOr<std::vector<tokenizer::TokenId>> EncodeChat(std::span<const ChatMessage> messages,
                                                             bool add_generation_prompt) const;

  // Text that ends an answer, as an end-of-turn token does; empty where the model has a template.
  const std::vector<std::string>& answer_stops() const { return answer_stops_; }
  // True when answers begin with a space that belongs to the transcript ("Assistant: ..."), not to the answer.
  bool answers_start_with_space() const { return transcript_; }

 private:
  ChatCodec(std::unique_ptr<const tokenizer::Tokenizer> tokenizer,
            std::unique_ptr<const chat_template::Template> chat_template, bool transcript);

  std::unique_ptr<const tokenizer::Tokenizer> tokenizer_;
  std::unique_ptr<const chat_template::Template> template_;
  bool transcript_;
  std::vector<std::string> answer_stops_;
};

}  // namespace model
