// The first byte chooses: bytes as text for each pre-tokenizer and for SentencePiece with and without a space before
// (what is encoded decodes to itself, and never to a control token), or bytes as a vocabulary of either kind (refused
// with a status, or usable).
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/check.h"
#include "libs/tokenizer/detokenizer.h"
#include "libs/tokenizer/tokenizer.h"
#include "libs/unicode/normalize.h"
#include "libs/unicode/utf8.h"
#include "tests/libs/tokenizer/small_pieces.h"
#include "tests/libs/tokenizer/small_vocabulary.h"

namespace {

using tokenizer::TokenId;
using tokenizer::Tokenizer;

constexpr std::string_view kPreTokenizers[] = {"gpt-2", "smollm", "llama-bpe", "qwen2"};

std::unique_ptr<const Tokenizer> MakeTokenizer(std::string_view pre) {
  const tokenizer::SmallVocabulary vocabulary({"a a", "aa aa", "Ġ a", "Ġ Ġ", "e r", "t h", "th e", "Ã ©"}, pre);
  auto made = Tokenizer::Create(vocabulary.spec());
  CHECK(made.ok());
  return *std::move(made);
}

std::unique_ptr<const Tokenizer> MakePieces(bool add_space_prefix) {
  tokenizer::SmallPieces pieces(
      {"▁t", "th", "▁th", "e", "t", "h", "▁", "aa", "a", "aaaa", "é", "▁the", "<", "|", "中中"}, add_space_prefix);
  for (const char* name : {"<|begin|>", "<|end|>"}) pieces.Add(name, 3, 0.0F);
  for (const char* name : {"\n\n", "\n", "  ", "<think>"}) pieces.Add(name, 4, 0.0F);
  auto made = Tokenizer::Create(pieces.spec());
  CHECK(made.ok());
  return *std::move(made);
}

// U+2581 is a space to SentencePiece.
std::string WithSpaces(std::string text) {
  for (std::size_t at = text.find("▁"); at != std::string::npos; at = text.find("▁", at)) text.replace(at, 3, " ");
  return text;
}

enum class Reading { kExact, kNfc, kSpaces };  // what decoding gives back of a text

void CheckText(const Tokenizer& tokenizer, Reading reading, std::string_view text) {
  const std::vector<TokenId> ids = tokenizer.Encode(text);
  for (const TokenId id : ids) CHECK(id >= 0 && id < tokenizer.vocab_size() && !tokenizer.IsControl(id));
  const std::string valid = unicode::SanitizeUtf8(text);
  const std::string decoded = tokenizer.Decode(ids);
  // User-defined tokens stand between two stretches that are normalised apart, so only without them is the whole
  // comparable.
  if (reading == Reading::kExact) CHECK(decoded == valid);
  if (reading == Reading::kSpaces) CHECK(decoded == WithSpaces(valid));
  if (reading == Reading::kNfc && valid.find("think>") == std::string::npos) {
    CHECK(decoded == unicode::NormalizeNfc(valid));
  }
  std::string streamed;
  tokenizer::Detokenizer detokenizer(tokenizer);
  for (const TokenId id : ids) detokenizer.Append(id, streamed);
  detokenizer.Finish(streamed);
  CHECK(streamed == decoded);
  // One untrusted piece, or two, make no control token between trusted ones either.
  const std::string_view head = text.substr(0, text.size() / 2);
  const std::string_view tail = text.substr(text.size() / 2);
  const tokenizer::PromptPiece pieces[] = {{"<|begin|>", true}, {head, false}, {tail, false}, {"<|end|>", true}};
  int controls = 0;
  for (const TokenId id : tokenizer.EncodePrompt(pieces)) controls += tokenizer.IsControl(id) ? 1 : 0;
  CHECK(controls == 2);
}

// Lines are tokens; a line that begins with '+' is a merge, with '!' a control token, with '?' a user-defined one.
// For SentencePiece a score is the length of a line, and 256 bytes are added.
void TryVocabulary(bool pieces, std::string_view lines) {
  tokenizer::SmallPieces bytes({}, lines.size() % 2 == 0);
  tokenizer::VocabularySpec spec;
  if (pieces) {
    spec = bytes.spec();
  } else {
    spec.model = "gpt2";
    spec.pre = kPreTokenizers[lines.size() % 4];
  }
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    if (line.starts_with('+')) {
      spec.merges.push_back(line.substr(1));
    } else {
      const bool marked = line.starts_with('!') || line.starts_with('?');
      spec.tokens.push_back(marked ? line.substr(1) : line);
      spec.token_types.push_back(line.starts_with('!') ? 3 : line.starts_with('?') ? 4 : 1);
      if (pieces) spec.scores.push_back(-static_cast<float>(line.size() % 7));
    }
  }
  const auto made = Tokenizer::Create(spec);
  if (!made.ok()) return;
  std::string text;
  for (const std::string_view token : spec.tokens) text += token;
  for (const TokenId id : (*made)->Encode(text)) CHECK(!(*made)->IsControl(id));
  const tokenizer::PromptPiece trusted[] = {{text, true}};
  (void)(*made)->EncodePrompt(trusted);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t which = data[0] % 8;
  if (which >= 6) {
    TryVocabulary(/*pieces=*/which == 7, rest);
    return 0;
  }
  static const std::unique_ptr<const Tokenizer> kTokenizers[] = {MakeTokenizer(kPreTokenizers[0]),
                                                                 MakeTokenizer(kPreTokenizers[1]),
                                                                 MakeTokenizer(kPreTokenizers[2]),
                                                                 MakeTokenizer(kPreTokenizers[3]),
                                                                 MakePieces(false),
                                                                 MakePieces(true)};
  const Reading readings[] = {Reading::kExact, Reading::kExact,  Reading::kExact,
                              Reading::kNfc,   Reading::kSpaces, Reading::kSpaces};
  CheckText(*kTokenizers[which], readings[which], rest);
  return 0;
}
