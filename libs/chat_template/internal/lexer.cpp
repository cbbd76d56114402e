#include "libs/chat_template/internal/lexer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/python_text.h"
#include "libs/unicode/utf8.h"

namespace chat_template::internal {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// \r\n and \r become \n, and one newline at the end goes, as in Jinja's default environment.
std::string NormalizeNewlines(std::string_view source) {
  std::string normalized;
  normalized.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      normalized.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      normalized.push_back(source[i]);
    }
  }
  if (!normalized.empty() && normalized.back() == '\n') normalized.pop_back();
  return normalized;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> Run() {
    while (at_ < source_.size()) ReadTextAndTag();
    Add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  bool StartsWith(std::string_view prefix) const { return source_.substr(at_).starts_with(prefix); }

  void Add(TokenKind kind, std::string text) {
    tokens_.push_back({.kind = kind, .text = std::move(text), .line = line_});
  }

  // Moves on and counts the lines passed.
  void Skip(std::size_t bytes) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(at_ + bytes), '\n'));
    at_ += bytes;
  }

  // The place of the next "{{", "{%" or "{#".
  std::size_t FindTag(std::size_t from) const {
    for (std::size_t i = from; i + 1 < source_.size(); ++i) {
      if (source_[i] == '{' && (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#')) return i;
    }
    return source_.size();
  }

  // What of the text before a tag is printed. `sign` is the character after the tag's opening.
  std::string_view StripBefore(std::string_view text, char tag, char sign) const {
    if (sign == '-') return text.substr(0, WithoutTrailingSpace(text));
    if (sign == '+' || tag == '{') return text;
    const std::size_t newline = text.rfind('\n');
    if (newline == std::string_view::npos && !at_line_start_) return text;
    const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
    return WithoutTrailingSpace(text.substr(line_start)) == 0 ? text.substr(0, line_start) : text;
  }

  void ReadTextAndTag() {
    const std::size_t tag_at = FindTag(at_);
    const std::string_view text = source_.substr(at_, tag_at - at_);
    if (tag_at == source_.size()) {
      AddText(text);
      Skip(text.size());
      return;
    }
    const char tag = source_[tag_at + 1];
    const char sign = tag_at + 2 < source_.size() ? source_[tag_at + 2] : '\0';
    AddText(StripBefore(text, tag, sign));
    Skip(text.size() + 2);
    if (sign == '-' || sign == '+') {
      // "{{-1}}" and "{{+1}}": for an output tag Jinja takes the sign as white space control as well.
      Skip(1);
    }
    if (tag == '#') {
      ReadComment();
    } else if (tag == '%') {
      if (!ReadRawBlock()) ReadTag(TokenKind::kStatementOpen, TokenKind::kStatementClose, "%}");
    } else {
      ReadTag(TokenKind::kOutputOpen, TokenKind::kOutputClose, "}}");
    }
  }

  void AddText(std::string_view text) {
    if (!text.empty()) Add(TokenKind::kText, std::string(text));
  }

  // Behind the end of a tag: `-` strips all white space, else a statement or comment takes one newline with it.
  void FinishTag(char sign, bool trims_newline) {
    const std::size_t before = at_;
    if (sign == '-') {
      Skip(LeadingSpaceBytes(source_.substr(at_)));
    } else if (sign != '+' && trims_newline && StartsWith("\n")) {
      Skip(1);
    }
    at_line_start_ = at_ > before && source_[at_ - 1] == '\n';
  }

  void ReadComment() {
    const std::size_t end = source_.find("#}", at_);
    if (end == std::string_view::npos) FailSyntax(line_, "a comment does not end");
    const char sign = end > at_ ? source_[end - 1] : '\0';
    Skip(end + 2 - at_);
    FinishTag(sign, /*trims_newline=*/true);
  }

  // {% raw %} ... {% endraw %}, right behind a "{%"; false (and no move) when it is another statement.
  bool ReadRawBlock() {
    const std::size_t start = at_;
    const std::optional<char> sign = MatchBareStatement("raw");
    if (!sign.has_value()) return false;
    FinishTag(*sign, /*trims_newline=*/false);
    const std::size_t text_at = at_;
    for (std::size_t open = source_.find("{%", at_); open != std::string_view::npos;
         open = source_.find("{%", open + 2)) {
      const std::string_view text = source_.substr(text_at, open - text_at);
      const char open_sign = open + 2 < source_.size() ? source_[open + 2] : '\0';
      at_ = open + (open_sign == '-' || open_sign == '+' ? 3 : 2);
      const std::optional<char> close_sign = MatchBareStatement("endraw");
      if (!close_sign.has_value()) continue;
      AddText(StripBefore(text, '%', open_sign));
      line_ += static_cast<int>(std::count(text.begin(), text.end(), '\n'));
      FinishTag(*close_sign, /*trims_newline=*/true);
      return true;
    }
    at_ = start;
    FailSyntax(line_, "a raw block does not end");
  }

  // ` name %}` at the current place: moves behind it and returns the sign before "%}" or 0.
  std::optional<char> MatchBareStatement(std::string_view name) {
    std::size_t i = at_;
    while (i < source_.size() && IsBlank(source_[i])) ++i;
    if (!source_.substr(i).starts_with(name)) return std::nullopt;
    i += name.size();
    while (i < source_.size() && IsBlank(source_[i])) ++i;
    char sign = '\0';
    if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) sign = source_[i++];
    if (!source_.substr(i).starts_with("%}")) return std::nullopt;
    Skip(i + 2 - at_);
    return sign;
  }

  void ReadTag(TokenKind open, TokenKind close, std::string_view end) {
    Add(open, "");
    std::vector<char> brackets;  // still open; "}}" ends an output only outside of them
    while (true) {
      while (at_ < source_.size() && IsBlank(source_[at_])) Skip(1);
      if (at_ == source_.size()) FailSyntax(line_, "a tag does not end");
      if (brackets.empty()) {
        const char sign = source_[at_] == '-' || source_[at_] == '+' ? source_[at_] : '\0';
        if (source_.substr(at_ + (sign != '\0' ? 1 : 0)).starts_with(end) && !(sign == '+' && end == "}}")) {
          Add(close, "");
          Skip(end.size() + (sign != '\0' ? 1 : 0));
          FinishTag(sign, /*trims_newline=*/close == TokenKind::kStatementClose);
          return;
        }
      }
      ReadTokenInTag(brackets);
    }
  }

  void ReadTokenInTag(std::vector<char>& brackets) {
    const char c = source_[at_];
    if (IsNameStart(c)) {
      std::size_t end = at_;
      while (end < source_.size() && (IsNameStart(source_[end]) || IsDigit(source_[end]))) ++end;
      Add(TokenKind::kName, std::string(source_.substr(at_, end - at_)));
      Skip(end - at_);
    } else if (IsDigit(c)) {
      ReadNumber();
    } else if (c == '"' || c == '\'') {
      ReadString(c);
    } else {
      ReadOperator(brackets);
    }
  }

  void ReadNumber() {
    std::string digits;
    bool is_float = false;
    const auto take_digits = [&] {
      while (at_ < source_.size() && (IsDigit(source_[at_]) || source_[at_] == '_')) {
        if (source_[at_] != '_') digits.push_back(source_[at_]);
        ++at_;
      }
    };
    take_digits();
    if (at_ + 1 < source_.size() && source_[at_] == '.' && IsDigit(source_[at_ + 1])) {
      is_float = true;
      digits.push_back('.');
      ++at_;
      take_digits();
    }
    if (at_ < source_.size() && (source_[at_] == 'e' || source_[at_] == 'E')) {
      std::size_t exponent = at_ + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
      if (exponent < source_.size() && IsDigit(source_[exponent])) {
        is_float = true;
        digits.append(source_.substr(at_, exponent - at_));
        at_ = exponent;
        take_digits();
      }
    }
    Add(is_float ? TokenKind::kFloat : TokenKind::kInteger, digits);
  }

  void ReadString(char quote) {
    const int line = line_;
    std::string text;
    Skip(1);
    while (true) {
      if (at_ == source_.size()) FailSyntax(line, "a string does not end");
      const char c = source_[at_];
      if (c == quote) break;
      if (c == '\\') {
        ReadEscape(text);
      } else {
        text.push_back(c);
        Skip(1);
      }
    }
    Skip(1);
    Add(TokenKind::kString, std::move(text));
  }

  // Python's escapes; an unknown one stays as it is written, backslash included.
  void ReadEscape(std::string& text) {
    static constexpr std::string_view kLetters = "nrtabfv\\'\"";
    static constexpr std::string_view kMeanings = "\n\r\t\a\b\f\v\\'\"";
    const char c = at_ + 1 < source_.size() ? source_[at_ + 1] : '\0';
    if (const std::size_t found = kLetters.find(c); c != '\0' && found != std::string_view::npos) {
      text.push_back(kMeanings[found]);
      Skip(2);
    } else if (c == '\n') {
      Skip(2);
    } else if (c == 'x' || c == 'u' || c == 'U') {
      ReadHexEscape(c == 'x' ? 2 : c == 'u' ? 4 : 8, text);
    } else if (c >= '0' && c <= '7') {
      Skip(1);
      char32_t value = 0;
      for (int i = 0; i < 3 && at_ < source_.size() && source_[at_] >= '0' && source_[at_] <= '7'; ++i) {
        value = value * 8 + static_cast<char32_t>(source_[at_] - '0');
        Skip(1);
      }
      unicode::AppendUtf8(value, text);
    } else {
      text.push_back('\\');
      Skip(1);
    }
  }

  void ReadHexEscape(std::size_t digits, std::string& text) {
    char32_t value = 0;
    Skip(2);
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = at_ < source_.size() ? source_[at_] : '\0';
      const bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
      if (!IsDigit(c) && !letter) FailSyntax(line_, "an escape in a string lacks hexadecimal digits");
      value = (value << 4) | static_cast<char32_t>(letter ? (c | 0x20) - 'a' + 10 : c - '0');
      Skip(1);
    }
    unicode::AppendUtf8(value, text);
  }

  void ReadOperator(std::vector<char>& brackets) {
    static constexpr std::array<std::string_view, 25> kOperators = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*",
                                                                    "/",  "%",  "~",  "=",  "<",  ">",  "(", ")", "[",
                                                                    "]",  "{",  "}",  ",",  ".",  ":",  "|"};
    const auto found =
        std::find_if(kOperators.begin(), kOperators.end(), [this](std::string_view op) { return StartsWith(op); });
    if (found == kOperators.end()) FailSyntax(line_, "a character that is no part of an expression");
    const char c = found->front();
    if (c == '(' || c == '[' || c == '{') brackets.push_back(c);
    if (c == ')' || c == ']' || c == '}') {
      const char opening = c == ')' ? '(' : c == ']' ? '[' : '{';
      if (brackets.empty() || brackets.back() != opening) FailSyntax(line_, base::StrCat("unexpected ", *found));
      brackets.pop_back();
    }
    Add(TokenKind::kOperator, std::string(*found));
    Skip(found->size());
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool at_line_start_ = true;  // nothing but trimmed newlines stands between the line's start and at_
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Tokenize(std::string_view source) {
  const std::string normalized = NormalizeNewlines(source);
  return Lexer(normalized).Run();
}

}  // namespace chat_template::internal
