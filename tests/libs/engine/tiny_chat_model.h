#pragma once

#include <cstdint>
#include <string>

#include "libs/unicode/utf8.h"
#include "tests/libs/model/tiny_llama.h"

namespace engine {

// The spelling of a byte in GPT-2's byte-to-unicode alphabet: printable Latin-1 stands for itself, the rest follows
// from U+0100 on.
inline std::string ByteSpelling(int byte) {
  int next = 256;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    const int code_point = printable ? b : next++;
    if (b != byte) continue;
    std::string spelling;
    unicode::AppendUtf8(static_cast<char32_t>(code_point), spelling);
    return spelling;
  }
  return {};
}

// A complete model file for the engine: a tiny Llama with random weights, a vocabulary of the 256 bytes and three
// control tokens (ids 256 to 258), and a chat template.
inline model::TinyLlama TinyChatModel() {
  constexpr const char* kControl[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  model::TinyLlama tiny;
  tiny.vocabulary = 259;
  tiny.tied = false;
  tiny.context = 256;
  tiny.extra_entries = 7;
  tiny.extra_metadata = [=](tensor::GgufBuilder& builder) {
    using tensor::MetadataType;
    builder.Key("tokenizer.ggml.model", MetadataType::kString).Text("gpt2");
    builder.Key("tokenizer.ggml.pre", MetadataType::kString).Text("smollm");
    builder.Key("tokenizer.ggml.tokens", MetadataType::kArray).ArrayHead(MetadataType::kString, 259);
    for (int byte = 0; byte < 256; ++byte) builder.Text(ByteSpelling(byte));
    for (const char* control : kControl) builder.Text(control);
    builder.Key("tokenizer.ggml.token_type", MetadataType::kArray).ArrayHead(MetadataType::kInt32, 259);
    for (int id = 0; id < 259; ++id) builder.Put<std::int32_t>(id < 256 ? 1 : 3);
    builder.Key("tokenizer.ggml.merges", MetadataType::kArray).ArrayHead(MetadataType::kString, 0);
    builder.Key("tokenizer.ggml.eos_token_id", MetadataType::kUint32).Put<std::uint32_t>(258);
    builder.Key("tokenizer.chat_template", MetadataType::kString)
        .Text(
            "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + "
            "'<|im_end|>\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
  };
  return tiny;
}

}  // namespace engine
