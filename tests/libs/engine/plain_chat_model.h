#pragma once

#include <string>

#include "tests/libs/engine/tiny_chat_model.h"
#include "tests/libs/tensor/gguf_draft.h"

namespace engine {

// The tiny chat model with a template that writes nothing but the messages: a prompt of ASCII has one token a byte, and
// an empty message gives none.
inline std::string PlainChatModelBytes(const model::TinyLlama& tiny = TinyChatModel()) {
  tensor::GgufDraft draft = tensor::GgufDraft::Of(tiny.Bytes());
  draft.Put("tokenizer.chat_template", tensor::MetadataType::kString,
            tensor::EncodedText("{% for message in messages %}{{ message['content'] }}{% endfor %}"));
  return draft.Bytes();
}

}  // namespace engine
