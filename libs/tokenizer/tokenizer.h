#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tensor {
class GgufFile;
}

namespace tokenizer {

using TokenId = std::int32_t;  // index into the vocabulary, in [0, vocab_size)

// A vocabulary as GGUF metadata holds it (keys `tokenizer.ggml.*`). Views need to live only during Create.
struct VocabularySpec {
  std::string_view model;                 // `model`: "gpt2" (byte-level BPE) or "llama" (SentencePiece's BPE)
  std::string_view pre;                   // `pre`: "smollm", "gpt-2", "llama-bpe", "qwen2"; llama: "default" or empty
  std::vector<std::string_view> tokens;   // `tokens`; gpt2: bytes in GPT-2's alphabet; llama: U+2581 for a space
  std::vector<std::int32_t> token_types;  // `token_type`, one a token: 1 normal, 2 unknown, 3 control, 4 user defined,
                                          // 5 unused, 6 byte
  std::vector<std::string_view> merges;   // gpt2: `merges`, best first; "left right"
  std::vector<float> scores;              // llama: `scores`, one a token; the highest merges first
  bool add_space_prefix = false;          // llama: `add_space_prefix`; text starts with a space that was not written
  std::optional<std::uint64_t> bos_id;
  std::optional<std::uint64_t> eos_id;
  std::optional<std::uint64_t> eot_id;  // end of turn, where the file names one apart from eos
  bool add_bos = false;                 // prompts of this model start with bos
};

// A stretch of prompt text. Trusted text was written by the model's template: special tokens in it are control.
// Anything that came from a user, a system prompt or the model itself is not trusted.
struct PromptPiece {
  std::string_view text;
  bool trusted = false;
};

// Byte-level BPE or SentencePiece's BPE, as the vocabulary says, token for token equal to the reference implementations
// (the libraries `tokenizers` and `sentencepiece`; tests/golden/tokenizer compares 10,000 strings with each).
// README.md beside this file says which vocabularies are supported and what is refused.
//
// Invariant: Encode never yields a control token, whatever the text says; only EncodePrompt does, for trusted text.
// Text:      any bytes; invalid UTF-8 is first replaced by U+FFFD as unicode::SanitizeUtf8 states.
// Cost:      O(n log n) in the text, also for one word of megabytes. A word (SentencePiece: a text) above 4 MiB is cut
//            there first, so that memory stays bounded; no context window holds one.
// Threading: immutable after Create; safe from any thread. Memory: 4 MB for SmolLM2's 49,152 tokens, 16 MB for Gemma's
//            262,144.
class Tokenizer {
 public:
  // InvalidArgument: the vocabulary contradicts itself (permanent; the message names the entry).
  // Unimplemented: a model or pre-tokenizer name outside the list above.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Create(const VocabularySpec& spec);

  // Create with the vocabulary of a model file. Keeps no view into it.
  // NotFound, FailedPrecondition: the file lacks a key or has it in another type; permanent.
  static absl::StatusOr<std::unique_ptr<const Tokenizer>> Load(const tensor::GgufFile& file);

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  std::vector<TokenId> Encode(std::string_view text) const;
  void EncodeAppend(std::string_view text, std::vector<TokenId>& out) const;
  std::size_t CountTokens(std::string_view text) const;

  // Token ids of the concatenated pieces. Text is cut only where a special token stands whole inside one run of trusted
  // pieces; between two cuts all pieces are encoded as one text, so that a merge across the boundary between template
  // and user text happens as in the reference. No bos is added: templates write it, or their caller does.
  std::vector<TokenId> EncodePrompt(std::span<const PromptPiece> pieces) const;

  // The bytes that `id` stands for; empty for control tokens and ids outside the vocabulary. A token may be part of a
  // code point: to show text, use Detokenizer.
  std::string_view TokenBytes(TokenId id) const;
  std::string Decode(std::span<const TokenId> ids) const;  // valid UTF-8; control tokens are left out

  // The spelling of any token in the vocabulary as the template writes it ("<|im_end|>"); empty outside the vocabulary.
  std::string_view TokenName(TokenId id) const;
  // The control token with this spelling.
  std::optional<TokenId> FindSpecial(std::string_view name) const;
  bool IsControl(TokenId id) const;
  // True for the tokens after which a model has nothing more to say: eos, eot and the end-of-turn tokens known by name.
  bool IsEndOfGeneration(TokenId id) const;

  std::int32_t vocab_size() const;
  std::optional<TokenId> bos() const;
  std::optional<TokenId> eos() const;
  std::optional<TokenId> eot() const;  // eos where the file names none
  bool add_bos() const;
  // True when encoding puts a space before each text, which Detokenizer takes off the first token again.
  bool add_space_prefix() const;

 private:
  struct State;
  explicit Tokenizer(std::unique_ptr<State> state);

  std::unique_ptr<const State> state_;
};

}  // namespace tokenizer
