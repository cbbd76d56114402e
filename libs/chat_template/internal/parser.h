#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/chat_template/internal/ast.h"
#include "libs/chat_template/internal/lexer.h"

namespace chat_template::internal {

// The tokens of a template and the place where the parser is.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& Peek(std::size_t ahead = 0) const;
  Token Take();
  bool AtOperator(std::string_view text) const;
  bool AtName(std::string_view text) const;
  bool SkipOperator(std::string_view text);
  bool SkipName(std::string_view text);
  void ExpectOperator(std::string_view text);
  void Expect(TokenKind kind, std::string_view what);
  std::string ExpectName(std::string_view what);

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

// Parses expressions with Jinja's precedences (jinja2/parser.py: parse_expression). Throws TemplateError.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(&tokens) {}

  ExpressionPtr Parse();                                // a conditional expression
  ExpressionPtr ParseTuple();                           // one, or several with commas, which make a tuple
  ExpressionPtr ParseIterable();                        // like ParseTuple, but an "if" behind it belongs to the loop
  ExpressionPtr ParseFilterChain(ExpressionPtr input);  // `| name(...)`...; `input` may be null
  ExpressionPtr ParseFilterBody();                      // the filters of {% filter a | b %}, whose input is null

 private:
  class Nesting;

  ExpressionPtr ParseOr();
  ExpressionPtr ParseAnd();
  ExpressionPtr ParseNot();
  ExpressionPtr ParseCompare();
  ExpressionPtr ParseSum();
  ExpressionPtr ParseConcatenation();
  ExpressionPtr ParseProduct();
  ExpressionPtr ParsePower();
  ExpressionPtr ParseUnary(bool with_filters);
  ExpressionPtr ParsePrimary();
  ExpressionPtr ParseNameOrConstant();
  ExpressionPtr ParseNumber();
  ExpressionPtr ParseParenthesis();
  ExpressionPtr ParseList();
  ExpressionPtr ParseDict();
  ExpressionPtr ParsePostfix(ExpressionPtr input);
  ExpressionPtr ParseSubscript(ExpressionPtr input);
  ExpressionPtr ParseFiltersAndTests(ExpressionPtr input);
  ExpressionPtr ParseFilter(ExpressionPtr input);
  ExpressionPtr ParseTest(ExpressionPtr input);
  void ParseArguments(Expression& call);
  ExpressionPtr ParseTupleOf(bool with_condition);

  TokenStream* tokens_;
  int nesting_ = 0;
};

// The whole template. Throws TemplateError.
std::unique_ptr<const Program> ParseTemplate(std::string_view source);

}  // namespace chat_template::internal
