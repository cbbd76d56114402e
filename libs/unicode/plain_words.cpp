#include "libs/unicode/plain_words.h"

#include <cstddef>

#include "libs/unicode/category.h"
#include "libs/unicode/normalize.h"
#include "libs/unicode/utf8.h"

namespace unicode {

std::string PlainWords(std::string_view text) {
  const std::string composed = NormalizeNfc(SanitizeUtf8(text));
  std::string plain;
  std::size_t words_end = 0;  // of `plain`: behind its last letter or number, and the marks on it
  bool in_word = false;
  Decoded next;
  for (std::size_t at = 0; at < composed.size(); at += next.length) {
    next = DecodeUtf8(composed, at);
    const char32_t code_point = next.code_point;
    in_word = IsLetter(code_point) || IsNumber(code_point) || (in_word && IsMark(code_point));
    if (plain.empty() && !in_word) continue;
    if (IsWhitespace(code_point)) {
      if (plain.back() != ' ') plain += ' ';
      continue;
    }
    AppendUtf8(ToLower(ToUpper(code_point)), plain);  // both ways: "ς" is "σ"
    if (in_word) words_end = plain.size();
  }
  plain.resize(words_end);
  return plain;
}

}  // namespace unicode
