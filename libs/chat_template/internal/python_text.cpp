#include "libs/chat_template/internal/python_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "libs/base/str_cat.h"
#include "libs/unicode/category.h"
#include "libs/unicode/utf8.h"

namespace chat_template::internal {

bool IsPythonSpace(char32_t code_point) {
  return unicode::IsWhitespace(code_point) || (code_point >= 0x1C && code_point <= 0x1F);
}

std::size_t LeadingSpaceBytes(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const unicode::Decoded decoded = unicode::DecodeUtf8(text, at);
    if (!IsPythonSpace(decoded.code_point)) break;
    at += decoded.length;
  }
  return at;
}

std::size_t WithoutTrailingSpace(std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    std::size_t start = end - 1;
    while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80) --start;
    if (!IsPythonSpace(unicode::DecodeUtf8(text, start).code_point)) break;
    end = start;
  }
  return end;
}

std::string FormatFloat(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto written = std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::scientific);
  const std::string_view scientific(buffer, static_cast<std::size_t>(written.ptr - buffer));
  const std::size_t e = scientific.find('e');
  int exponent = 0;
  const std::size_t digits_at = e + (scientific[e + 1] == '+' ? 2 : 1);
  std::from_chars(scientific.data() + digits_at, scientific.data() + scientific.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(scientific);  // both write at least two exponent digits
  const auto fixed = std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::fixed);
  std::string text(buffer, fixed.ptr);
  return text.find('.') == std::string::npos ? base::StrCat(text, ".0") : text;
}

}  // namespace chat_template::internal
