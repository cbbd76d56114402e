#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace chat_template::internal {

enum class TokenKind : std::uint8_t {
  kText,           // outside of tags; `text` as it will be printed
  kStatementOpen,  // {%
  kStatementClose,
  kOutputOpen,  // {{
  kOutputClose,
  kName,
  kString,   // `text` is unescaped
  kInteger,  // `text` holds the digits
  kFloat,
  kOperator,  // `text` is one of + - * / // % ** ~ = == != < <= > >= ( ) [ ] { } , . : |
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;
  int line = 1;
};

// The tokens of a template, white space already treated as Jinja does with trim_blocks and lstrip_blocks: `-` strips to
// the text beyond the tag, the newline after a statement or comment goes, and so do blanks before one that begins its
// line; `+` switches either off. Comments leave nothing, raw blocks become text, and one newline at the end of the
// source is dropped. Throws TemplateError (InvalidArgument) for what is no token, with the line. The last token is
// kEnd.
std::vector<Token> Tokenize(std::string_view source);

}  // namespace chat_template::internal
