#include "libs/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "libs/base/str_cat.h"
#include "libs/tokenizer/detokenizer.h"
#include "libs/tokenizer/internal/bpe.h"
#include "libs/tokenizer/internal/gguf_vocabulary.h"
#include "libs/tokenizer/internal/sentencepiece.h"
#include "libs/tokenizer/internal/vocabulary.h"
#include "libs/unicode/utf8.h"

namespace tokenizer {
namespace {

// Control tokens that end a turn in published chat models, whatever a file names as eos.
constexpr std::array<std::string_view, 8> kEndOfTurnNames = {
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|end|>", "<|endoftext|>", "<end_of_turn>", "</s>",
};

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
  using Encoder = std::variant<BpeEncoder, SentencePieceEncoder>;

  State(std::unique_ptr<const Vocabulary> checked, Encoder chosen)
      : vocabulary(std::move(checked)), encoder(std::move(chosen)) {}

  std::unique_ptr<const Vocabulary> vocabulary;
  Encoder encoder;  // points into `vocabulary`
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::optional<TokenId> eot;
  bool add_bos = false;
  bool add_space_prefix = false;
  std::vector<TokenId> end_of_generation;  // a handful

  // User-defined tokens are part of the language of plain text (as `<think>` is, or a run of newlines) and are cut out
  // first; what is left is for the encoder. REQUIRES: `text` is valid UTF-8.
  template <typename AnyEncoder>
  void EncodeValidText(const AnyEncoder& chosen, std::string_view text, std::vector<TokenId>& out) const;
  static absl::StatusOr<std::unique_ptr<State>> Build(const VocabularySpec& spec);
};

template <typename AnyEncoder>
void Tokenizer::State::EncodeValidText(const AnyEncoder& chosen, std::string_view text,
                                       std::vector<TokenId>& out) const {
  typename AnyEncoder::Scratch scratch;
  std::string storage;
  text = chosen.Prepare(text, storage);
  std::size_t at = 0;
  while (!vocabulary->user_defined().empty()) {
    const auto match = vocabulary->user_defined().FirstMatch(text, at);
    if (!match.has_value()) break;
    chosen.Encode(text.substr(at, match->begin - at), scratch, out);
    out.push_back(match->id);
    at = match->end;
  }
  chosen.Encode(text.substr(at), scratch, out);
}

absl::StatusOr<std::unique_ptr<Tokenizer::State>> Tokenizer::State::Build(const VocabularySpec& spec) {
  const bool pieces = spec.model == "llama";
  if (!pieces && spec.model != "gpt2") {
    return absl::UnimplementedError(
        base::StrCat("tokenizer.ggml.model ", QuotedToken(spec.model),
                     " is not supported (gpt2, byte-level BPE, and llama, SentencePiece, are)"));
  }
  auto vocabulary = Vocabulary::Build(spec, pieces ? Spelling::kSentencePiece : Spelling::kByteAlphabet);
  if (!vocabulary.ok()) return vocabulary.status();
  if (pieces) {
    absl::StatusOr<SentencePieceEncoder> encoder = SentencePieceEncoder::Build(spec, **vocabulary);
    if (!encoder.ok()) return encoder.status();
    auto state = std::make_unique<State>(*std::move(vocabulary), *std::move(encoder));
    state->add_space_prefix = spec.add_space_prefix;
    return state;
  }
  absl::StatusOr<BpeEncoder> encoder = BpeEncoder::Build(spec, **vocabulary);
  if (!encoder.ok()) return encoder.status();
  return std::make_unique<State>(*std::move(vocabulary), *std::move(encoder));
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Create(const VocabularySpec& spec) {
  absl::StatusOr<std::unique_ptr<State>> built = State::Build(spec);
  if (!built.ok()) return built.status();
  std::unique_ptr<State> state = *std::move(built);
  auto bos = CheckedId(spec.bos_id, "bos", *state->vocabulary);
  if (!bos.ok()) return bos.status();
  auto eos = CheckedId(spec.eos_id, "eos", *state->vocabulary);
  if (!eos.ok()) return eos.status();
  auto eot = CheckedId(spec.eot_id, "eot", *state->vocabulary);
  if (!eot.ok()) return eot.status();
  state->bos = *bos;
  state->eos = *eos;
  state->eot = eot->has_value() ? *eot : *eos;
  state->add_bos = spec.add_bos;
  for (const std::optional<TokenId> id : {state->eos, state->eot}) {
    if (id.has_value()) state->end_of_generation.push_back(*id);
  }
  for (const std::string_view name : kEndOfTurnNames) {
    if (const auto id = state->vocabulary->control().Find(name); id.has_value()) {
      state->end_of_generation.push_back(*id);
    }
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
  std::string sanitized;
  if (!unicode::IsValidUtf8(text)) {
    sanitized = unicode::SanitizeUtf8(text);
    text = sanitized;
  }
  std::visit([&](const auto& encoder) { state_->EncodeValidText(encoder, text, out); }, state_->encoder);
}

std::size_t Tokenizer::CountTokens(std::string_view text) const { return Encode(text).size(); }

std::vector<TokenId> Tokenizer::EncodePrompt(std::span<const PromptPiece> pieces) const {
  std::vector<TokenId> ids;
  std::string pending;      // text since the last special token
  std::string trusted_run;  // neighbouring trusted pieces: a special token may be written in two
  const auto flush_trusted = [&] {
    std::size_t at = 0;
    while (const auto match = state_->vocabulary->control().FirstMatch(trusted_run, at)) {
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
  return state_->vocabulary->Contains(id) ? state_->vocabulary->bytes(id) : std::string_view();
}

std::string Tokenizer::Decode(std::span<const TokenId> ids) const {
  std::string text;
  Detokenizer detokenizer(*this);
  for (const TokenId id : ids) detokenizer.Append(id, text);
  detokenizer.Finish(text);
  return text;
}

std::string_view Tokenizer::TokenName(TokenId id) const {
  return state_->vocabulary->Contains(id) ? state_->vocabulary->name(id) : std::string_view();
}

std::optional<TokenId> Tokenizer::FindSpecial(std::string_view name) const {
  return state_->vocabulary->control().Find(name);
}

bool Tokenizer::IsControl(TokenId id) const {
  return state_->vocabulary->Contains(id) && state_->vocabulary->type(id) == TokenType::kControl;
}

bool Tokenizer::IsEndOfGeneration(TokenId id) const {
  const std::vector<TokenId>& ends = state_->end_of_generation;
  return std::find(ends.begin(), ends.end(), id) != ends.end();
}

std::int32_t Tokenizer::vocab_size() const { return static_cast<std::int32_t>(state_->vocabulary->size()); }
std::optional<TokenId> Tokenizer::bos() const { return state_->bos; }
std::optional<TokenId> Tokenizer::eos() const { return state_->eos; }
std::optional<TokenId> Tokenizer::eot() const { return state_->eot; }
bool Tokenizer::add_bos() const { return state_->add_bos; }
bool Tokenizer::add_space_prefix() const { return state_->add_space_prefix; }

}  // namespace tokenizer
