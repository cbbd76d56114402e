#include "libs/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "libs/base/str_cat.h"
#include "libs/tokenizer/detokenizer.h"
#include "libs/tokenizer/internal/bpe.h"
#include "libs/tokenizer/internal/gguf_vocabulary.h"
#include "libs/tokenizer/internal/vocabulary.h"
#include "libs/tokenizer/internal/word_splitter.h"
#include "libs/unicode/normalize.h"
#include "libs/unicode/utf8.h"

namespace tokenizer {
namespace {

// Control tokens that end a turn in published chat models, whatever a file names as eos.
constexpr std::array<std::string_view, 8> kEndOfTurnNames = {
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|end|>", "<|endoftext|>", "<end_of_turn>", "</s>",
};

// Longer words are merged in parts, so that the memory of one word is bounded (by about 120 MB) and its indices fit 32
// bits. No context window of a model holds such a word.
constexpr std::size_t kWordBytesMax = 4U << 20;

absl::StatusOr<std::optional<TokenId>> CheckedId(std::optional<std::uint64_t> id, std::string_view what,
                                                 const Vocabulary& vocabulary) {
  if (!id.has_value()) return std::optional<TokenId>();
  if (*id >= vocabulary.size()) {
    return absl::InvalidArgumentError(base::StrCat("tokenizer.ggml.", what, "_token_id is ", *id,
                                                   ", outside the vocabulary of ", vocabulary.size(), " tokens"));
  }
  return std::optional<TokenId>(static_cast<TokenId>(*id));
}

}  // namespace

struct Tokenizer::State {
  explicit State(Vocabulary checked) : vocabulary(std::move(checked)) {}

  Vocabulary vocabulary;
  PreTokenizer pre = PreTokenizer::kGpt2;
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::optional<TokenId> eot;
  bool add_bos = false;
  std::vector<TokenId> end_of_generation;  // a handful, sorted

  // REQUIRES: `text` is valid UTF-8. User-defined tokens are part of the language of plain text (as `<think>` is) and
  // are cut out first; what is left is words.
  void EncodeValidText(std::string_view text, std::vector<TokenId>& out) const;
  void EncodeWords(std::string_view text, WordMerger& merger, std::vector<TokenId>& out) const;
  void EncodeWord(std::string_view word, WordMerger& merger, std::vector<TokenId>& symbols,
                  std::vector<TokenId>& out) const;
};

void Tokenizer::State::EncodeValidText(std::string_view text, std::vector<TokenId>& out) const {
  WordMerger merger(vocabulary.merges());
  std::size_t at = 0;
  while (!vocabulary.user_defined().empty()) {
    const auto match = vocabulary.user_defined().FirstMatch(text, at);
    if (!match.has_value()) break;
    EncodeWords(text.substr(at, match->begin - at), merger, out);
    out.push_back(match->id);
    at = match->end;
  }
  EncodeWords(text.substr(at), merger, out);
}

void Tokenizer::State::EncodeWords(std::string_view text, WordMerger& merger, std::vector<TokenId>& out) const {
  std::string normalized;
  if (NormalizesToNfc(pre)) {
    normalized = unicode::NormalizeNfc(text);
    text = normalized;
  }
  WordSplitter words(pre, text);
  std::vector<TokenId> symbols;
  while (const std::optional<std::string_view> word = words.Next()) {
    for (std::size_t at = 0; at < word->size(); at += kWordBytesMax) {
      EncodeWord(word->substr(at, kWordBytesMax), merger, symbols, out);
    }
  }
}

void Tokenizer::State::EncodeWord(std::string_view word, WordMerger& merger, std::vector<TokenId>& symbols,
                                  std::vector<TokenId>& out) const {
  // Llama 3 takes a word that is in the vocabulary whole, even where its merges would not reach it (`ignore_merges`).
  if (pre == PreTokenizer::kLlama3) {
    if (const std::optional<TokenId> id = vocabulary.FindWord(word); id.has_value()) {
      out.push_back(*id);
      return;
    }
  }
  symbols.clear();
  for (const char byte : word) {
    // A byte without a token is left out, as in the reference: its neighbours become neighbours.
    const TokenId id = vocabulary.ByteToken(static_cast<unsigned char>(byte));
    if (id != kNoToken) symbols.push_back(id);
  }
  merger.Merge(symbols, out);
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Create(const VocabularySpec& spec) {
  if (spec.model != "gpt2") {
    return absl::UnimplementedError(base::StrCat(
        "tokenizer.ggml.model \"", absl::CHexEscape({spec.model.data(), std::min<std::size_t>(spec.model.size(), 64)}),
        "\" is not supported (gpt2, byte-level BPE, is)"));
  }
  absl::StatusOr<PreTokenizer> pre = PreTokenizerByName(spec.pre);
  if (!pre.ok()) return pre.status();
  absl::StatusOr<Vocabulary> vocabulary = Vocabulary::Build(spec);
  if (!vocabulary.ok()) return vocabulary.status();
  auto bos = CheckedId(spec.bos_id, "bos", *vocabulary);
  if (!bos.ok()) return bos.status();
  auto eos = CheckedId(spec.eos_id, "eos", *vocabulary);
  if (!eos.ok()) return eos.status();
  auto eot = CheckedId(spec.eot_id, "eot", *vocabulary);
  if (!eot.ok()) return eot.status();
  auto state = std::make_unique<State>(*std::move(vocabulary));
  state->pre = *pre;
  state->bos = *bos;
  state->eos = *eos;
  state->eot = eot->has_value() ? *eot : *eos;
  state->add_bos = spec.add_bos;
  for (const std::optional<TokenId> id : {state->eos, state->eot}) {
    if (id.has_value()) state->end_of_generation.push_back(*id);
  }
  for (const std::string_view name : kEndOfTurnNames) {
    if (const auto id = state->vocabulary.control().Find(name); id.has_value()) state->end_of_generation.push_back(*id);
  }
  return std::unique_ptr<const Tokenizer>(new Tokenizer(std::move(state)));
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(const tensor::GgufFile& file) {
  absl::StatusOr<VocabularySpec> spec = VocabularySpecOf(file);
  if (!spec.ok()) return spec.status();
  return Create(*spec);
}

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Tokenizer::~Tokenizer() = default;

std::vector<TokenId> Tokenizer::Encode(std::string_view text) const {
  std::vector<TokenId> ids;
  EncodeAppend(text, ids);
  return ids;
}

void Tokenizer::EncodeAppend(std::string_view text, std::vector<TokenId>& out) const {
  if (unicode::IsValidUtf8(text)) {
    state_->EncodeValidText(text, out);
  } else {
    state_->EncodeValidText(unicode::SanitizeUtf8(text), out);
  }
}

std::size_t Tokenizer::CountTokens(std::string_view text) const { return Encode(text).size(); }

std::vector<TokenId> Tokenizer::EncodePrompt(std::span<const PromptPiece> pieces) const {
  std::vector<TokenId> ids;
  std::string pending;      // text since the last special token
  std::string trusted_run;  // neighbouring trusted pieces: a special token may be written in two
  const auto flush_trusted = [&] {
    std::size_t at = 0;
    while (const auto match = state_->vocabulary.control().FirstMatch(trusted_run, at)) {
      pending.append(trusted_run, at, match->begin - at);
      EncodeAppend(pending, ids);
      pending.clear();
      ids.push_back(match->id);
      at = match->end;
    }
    pending.append(trusted_run, at);
    trusted_run.clear();
  };
  for (const PromptPiece& piece : pieces) {
    if (piece.trusted) {
      trusted_run.append(piece.text);
    } else {
      flush_trusted();
      pending.append(piece.text);
    }
  }
  flush_trusted();
  EncodeAppend(pending, ids);
  return ids;
}

std::string_view Tokenizer::TokenBytes(TokenId id) const {
  return state_->vocabulary.Contains(id) ? state_->vocabulary.bytes(id) : std::string_view();
}

std::string Tokenizer::Decode(std::span<const TokenId> ids) const {
  std::string text;
  Detokenizer detokenizer(*this);
  for (const TokenId id : ids) detokenizer.Append(id, text);
  detokenizer.Finish(text);
  return text;
}

std::string_view Tokenizer::TokenName(TokenId id) const {
  return state_->vocabulary.Contains(id) ? state_->vocabulary.name(id) : std::string_view();
}

std::optional<TokenId> Tokenizer::FindSpecial(std::string_view name) const {
  return state_->vocabulary.control().Find(name);
}

bool Tokenizer::IsControl(TokenId id) const {
  return state_->vocabulary.Contains(id) && state_->vocabulary.type(id) == TokenType::kControl;
}

bool Tokenizer::IsEndOfGeneration(TokenId id) const {
  const std::vector<TokenId>& ends = state_->end_of_generation;
  return std::find(ends.begin(), ends.end(), id) != ends.end();
}

std::int32_t Tokenizer::vocab_size() const { return static_cast<std::int32_t>(state_->vocabulary.size()); }
std::optional<TokenId> Tokenizer::bos() const { return state_->bos; }
std::optional<TokenId> Tokenizer::eos() const { return state_->eos; }
std::optional<TokenId> Tokenizer::eot() const { return state_->eot; }
bool Tokenizer::add_bos() const { return state_->add_bos; }

}  // namespace tokenizer
