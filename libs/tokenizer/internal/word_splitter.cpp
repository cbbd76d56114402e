#include "libs/tokenizer/internal/word_splitter.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "libs/base/str_cat.h"
#include "libs/unicode/category.h"
#include "libs/unicode/utf8.h"

namespace tokenizer {
namespace {

// A code point as the expressions see it: \p{L}, \p{N}, \s, or none of them.
enum class Kind : std::uint8_t { kLetter, kNumber, kSpace, kOther, kEnd };

struct Symbol {
  Kind kind = Kind::kEnd;
  char32_t code_point = 0;
  std::size_t end = 0;  // where the next one starts
};

// Reads symbols of one stretch of text; past its end there are only kEnd symbols, as \S and lookahead see it.
class Stretch {
 public:
  Stretch(std::string_view text, std::size_t end) : text_(text.substr(0, end)) {}

  Symbol At(std::size_t at) const {
    if (at >= text_.size()) return {.kind = Kind::kEnd, .code_point = 0, .end = at};
    const unicode::Decoded decoded = unicode::DecodeUtf8(text_, at);
    return {.kind = KindOf(decoded.code_point), .code_point = decoded.code_point, .end = at + decoded.length};
  }

  // End of the run of symbols of this kind that starts at `at`; `at` itself when there is none.
  std::size_t RunEnd(std::size_t at, Kind kind) const {
    for (Symbol symbol = At(at); symbol.kind == kind; symbol = At(at)) at = symbol.end;
    return at;
  }

 private:
  static Kind KindOf(char32_t code_point) {
    if (unicode::IsLetter(code_point)) return Kind::kLetter;
    if (unicode::IsNumber(code_point)) return Kind::kNumber;
    if (unicode::IsWhitespace(code_point)) return Kind::kSpace;
    return Kind::kOther;
  }

  std::string_view text_;
};

bool IsNewline(char32_t code_point) { return code_point == '\r' || code_point == '\n'; }

// With `ignore_case` as (?i:...) folds: U+017F (long s) is the one other code point that folds to a letter used here.
char FoldedLetter(char32_t code_point, bool ignore_case) {
  if (ignore_case && code_point == 0x17F) return 's';
  if (ignore_case && code_point >= 'A' && code_point <= 'Z') return static_cast<char>(code_point + ('a' - 'A'));
  return code_point < 0x80 ? static_cast<char>(code_point) : '\0';
}

// 's|'t|'re|'ve|'m|'ll|'d  at `at`; returns its end, or `at`.
std::size_t ContractionEnd(const Stretch& stretch, std::size_t at, bool ignore_case) {
  const Symbol quote = stretch.At(at);
  if (quote.code_point != '\'') return at;
  const Symbol first = stretch.At(quote.end);
  const char first_letter = FoldedLetter(first.code_point, ignore_case);
  if (first_letter == 's' || first_letter == 't' || first_letter == 'm' || first_letter == 'd') return first.end;
  const Symbol second = stretch.At(first.end);
  const char second_letter = FoldedLetter(second.code_point, ignore_case);
  const bool matched = (first_letter == 'r' && second_letter == 'e') || (first_letter == 'v' && second_letter == 'e') ||
                       (first_letter == 'l' && second_letter == 'l');
  return matched ? second.end : at;
}

// \s+(?!\S)|\s+  on a run of whitespace from `at`: a run before a word leaves its last code point to that word (or
// alone).
std::size_t WhitespaceEnd(const Stretch& stretch, std::size_t at) {
  std::size_t last_start = at;
  Symbol symbol = stretch.At(at);
  std::size_t end = at;
  while (symbol.kind == Kind::kSpace) {
    last_start = end;
    end = symbol.end;
    symbol = stretch.At(end);
  }
  const bool before_word = symbol.kind != Kind::kEnd;
  return before_word && last_start > at ? last_start : end;
}

// '(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+  (gpt-2/src/encoder.py)
std::size_t Gpt2WordEnd(const Stretch& stretch, std::size_t at) {
  if (const std::size_t end = ContractionEnd(stretch, at, /*ignore_case=*/false); end > at) return end;
  Symbol first = stretch.At(at);
  std::size_t run_start = at;
  if (first.code_point == ' ') {
    run_start = first.end;
    first = stretch.At(run_start);
  }
  if (first.kind != Kind::kSpace && first.kind != Kind::kEnd) return stretch.RunEnd(run_start, first.kind);
  return WhitespaceEnd(stretch, at);
}

// \s*[\r\n]+  at whitespace: up to and with the last newline of the run; `at` when it has none.
std::size_t NewlinesEnd(const Stretch& stretch, std::size_t at) {
  std::size_t end = at;
  std::size_t walk = at;
  for (Symbol symbol = stretch.At(walk); symbol.kind == Kind::kSpace; symbol = stretch.At(walk)) {
    walk = symbol.end;
    if (IsNewline(symbol.code_point)) end = walk;
  }
  return end;
}

//  ?[^\s\p{L}\p{N}]+[\r\n]*  at `at`; `at` when it does not match.
std::size_t PunctuationEnd(const Stretch& stretch, std::size_t at) {
  const Symbol first = stretch.At(at);
  const std::size_t run_start = first.code_point == ' ' ? first.end : at;
  std::size_t end = stretch.RunEnd(run_start, Kind::kOther);
  if (end == run_start) return at;
  for (Symbol symbol = stretch.At(end); IsNewline(symbol.code_point); symbol = stretch.At(end)) end = symbol.end;
  return end;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,D}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
// with D = 3 for Llama 3 and 1 for Qwen 2 (`pre_tokenizer` of the models' tokenizer.json).
std::size_t Llama3WordEnd(const Stretch& stretch, std::size_t at, int digits_max) {
  if (const std::size_t end = ContractionEnd(stretch, at, /*ignore_case=*/true); end > at) return end;
  const Symbol first = stretch.At(at);
  if (first.kind == Kind::kLetter) return stretch.RunEnd(at, Kind::kLetter);
  if (first.kind == Kind::kNumber) {
    std::size_t end = first.end;
    for (int digits = 1; digits < digits_max && stretch.At(end).kind == Kind::kNumber; ++digits)
      end = stretch.At(end).end;
    return end;
  }
  if (!IsNewline(first.code_point)) {
    if (const std::size_t end = stretch.RunEnd(first.end, Kind::kLetter); end > first.end) return end;
  }
  if (const std::size_t end = PunctuationEnd(stretch, at); end > at) return end;
  if (const std::size_t end = NewlinesEnd(stretch, at); end > at) return end;
  return WhitespaceEnd(stretch, at);
}

}  // namespace

absl::StatusOr<PreTokenizer> PreTokenizerByName(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, PreTokenizer>, 4> kNames = {{
      {"gpt-2", PreTokenizer::kGpt2},
      {"smollm", PreTokenizer::kSmolLm},
      {"llama-bpe", PreTokenizer::kLlama3},
      {"qwen2", PreTokenizer::kQwen2},
  }};
  for (const auto& [known, kind] : kNames) {
    if (name == known) return kind;
  }
  return absl::UnimplementedError(base::StrCat("tokenizer.ggml.pre \"",
                                               absl::CHexEscape({name.data(), std::min<std::size_t>(name.size(), 64)}),
                                               "\" is not supported (gpt-2, smollm, llama-bpe and qwen2 are)"));
}

bool NormalizesToNfc(PreTokenizer kind) { return kind == PreTokenizer::kQwen2; }

std::optional<std::string_view> WordSplitter::Next() {
  if (at_ == text_.size()) return std::nullopt;
  const std::size_t start = at_;
  switch (kind_) {
    case PreTokenizer::kGpt2:
      at_ = Gpt2WordEnd(Stretch(text_, text_.size()), start);
      break;
    case PreTokenizer::kSmolLm: {
      // Two expressions in sequence: \p{N} stands alone, and GPT-2's runs on each stretch between (so its lookahead
      // ends there).
      const Stretch whole(text_, text_.size());
      const Symbol first = whole.At(start);
      if (first.kind == Kind::kNumber) {
        at_ = first.end;
        break;
      }
      if (stretch_end_ <= start) {
        stretch_end_ = start;
        for (Symbol symbol = first; symbol.kind != Kind::kNumber && symbol.kind != Kind::kEnd;
             symbol = whole.At(stretch_end_)) {
          stretch_end_ = symbol.end;
        }
      }
      at_ = Gpt2WordEnd(Stretch(text_, stretch_end_), start);
      break;
    }
    case PreTokenizer::kLlama3:
      at_ = Llama3WordEnd(Stretch(text_, text_.size()), start, /*digits_max=*/3);
      break;
    case PreTokenizer::kQwen2:
      at_ = Llama3WordEnd(Stretch(text_, text_.size()), start, /*digits_max=*/1);
      break;
  }
  return text_.substr(start, at_ - start);
}

}  // namespace tokenizer
