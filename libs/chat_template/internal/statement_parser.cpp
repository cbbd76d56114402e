#include <algorithm>
#include <initializer_list>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/parser.h"

namespace chat_template::internal {

const Token& TokenStream::Peek(std::size_t ahead) const {
  // The last token is kEnd and is never passed.
  return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
}

Token TokenStream::Take() {
  Token token = Peek();
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool TokenStream::AtOperator(std::string_view text) const {
  return Peek().kind == TokenKind::kOperator && Peek().text == text;
}

bool TokenStream::AtName(std::string_view text) const { return Peek().kind == TokenKind::kName && Peek().text == text; }

bool TokenStream::SkipOperator(std::string_view text) {
  if (!AtOperator(text)) return false;
  Take();
  return true;
}

bool TokenStream::SkipName(std::string_view text) {
  if (!AtName(text)) return false;
  Take();
  return true;
}

void TokenStream::ExpectOperator(std::string_view text) {
  if (!SkipOperator(text)) {
    FailSyntax(Peek().line, base::StrCat("expected \"", text, "\" before \"", Peek().text, "\""));
  }
}

void TokenStream::Expect(TokenKind kind, std::string_view what) {
  if (Peek().kind != kind) FailSyntax(Peek().line, base::StrCat("expected ", what, " before \"", Peek().text, "\""));
  Take();
}

std::string TokenStream::ExpectName(std::string_view what) {
  if (Peek().kind != TokenKind::kName) {
    FailSyntax(Peek().line, base::StrCat("expected ", what, " before \"", Peek().text, "\""));
  }
  return Take().text;
}

namespace {

class StatementParser {
 public:
  explicit StatementParser(std::string_view source) : tokens_(Tokenize(source)), expressions_(tokens_) {}

  Body ParseAll() {
    std::string end;
    return ParseBody({}, end);
  }

 private:
  // Statements up to a tag whose name is one of `ends`, which is taken (its expression, if any, and "%}" are not). With
  // no `ends`: up to the end of the template.
  Body ParseBody(std::initializer_list<std::string_view> ends, std::string& end) {
    const int start_line = tokens_.Peek().line;
    if (++depth_ > kStatementDepthMax) {
      FailSyntax(start_line, base::StrCat("statements nest deeper than ", kStatementDepthMax));
    }
    Body body;
    while (true) {
      const Token token = tokens_.Take();
      if (token.kind == TokenKind::kEnd) {
        if (ends.size() != 0) FailSyntax(start_line, base::StrCat("a block has no \"", *(ends.end() - 1), "\""));
        break;
      }
      if (token.kind == TokenKind::kText) {
        Statement& text = body.emplace_back();
        text.line = token.line;
        text.text = token.text;
      } else if (token.kind == TokenKind::kOutputOpen) {
        Statement& output = body.emplace_back();
        output.kind = StatementKind::kOutput;
        output.line = token.line;
        output.expression = expressions_.ParseTuple();
        tokens_.Expect(TokenKind::kOutputClose, "\"}}\"");
      } else {
        std::string name = tokens_.ExpectName("a statement");
        if (std::find(ends.begin(), ends.end(), name) != ends.end()) {
          end = std::move(name);
          break;
        }
        body.push_back(ParseStatement(name, token.line));
      }
    }
    --depth_;
    return body;
  }

  // A body that only "end..." can end.
  Body ParseSimpleBody(std::string_view end_name) {
    std::string end;
    Body body = ParseBody({end_name}, end);
    CloseTag();
    return body;
  }

  void CloseTag() { tokens_.Expect(TokenKind::kStatementClose, "\"%}\""); }

  Statement ParseStatement(const std::string& name, int line) {
    if (name == "if") return ParseIf(line);
    if (name == "for") return ParseFor(line);
    if (name == "set") return ParseSet(line);
    if (name == "macro") return ParseMacro(line);
    Statement statement;
    statement.line = line;
    if (name == "filter") {
      statement.kind = StatementKind::kFilter;
      statement.expression = expressions_.ParseFilterBody();
      CloseTag();
      statement.body = ParseSimpleBody("endfilter");
      return statement;
    }
    if (name == "generation") {
      statement.kind = StatementKind::kScope;
      CloseTag();
      statement.body = ParseSimpleBody("endgeneration");
      return statement;
    }
    if (name == "break" || name == "continue") {
      if (loop_depth_ == 0) FailSyntax(line, base::StrCat("\"", name, "\" outside of a loop"));
      statement.kind = name == "break" ? StatementKind::kBreak : StatementKind::kContinue;
      CloseTag();
      return statement;
    }
    FailUnsupported(line, base::StrCat("statement \"", name, "\""));
  }

  Statement ParseIf(int line) {
    Statement statement;
    statement.kind = StatementKind::kIf;
    statement.line = line;
    std::string end = "elif";
    while (end == "elif") {
      Branch& branch = statement.branches.emplace_back();
      branch.condition = expressions_.ParseTuple();
      CloseTag();
      branch.body = ParseBody({"elif", "else", "endif"}, end);
    }
    CloseTag();
    if (end == "else") statement.otherwise = ParseSimpleBody("endif");
    return statement;
  }

  Statement ParseFor(int line) {
    Statement statement;
    statement.kind = StatementKind::kFor;
    statement.line = line;
    statement.targets = ParseTargets();
    if (!tokens_.SkipName("in")) FailSyntax(line, "a loop lacks \"in\"");
    statement.expression = expressions_.ParseIterable();
    if (tokens_.SkipName("if")) statement.condition = expressions_.Parse();
    if (tokens_.AtName("recursive")) FailUnsupported(line, "a recursive loop");
    CloseTag();
    std::string end;
    ++loop_depth_;
    statement.body = ParseBody({"else", "endfor"}, end);
    --loop_depth_;
    CloseTag();
    if (end == "else") statement.otherwise = ParseSimpleBody("endfor");
    return statement;
  }

  // name, name, ... with or without parentheses
  std::vector<std::string> ParseTargets() {
    std::vector<std::string> targets;
    const bool in_parentheses = tokens_.SkipOperator("(");
    do {
      targets.push_back(tokens_.ExpectName("a variable's name"));
    } while (tokens_.SkipOperator(","));
    if (in_parentheses) tokens_.ExpectOperator(")");
    return targets;
  }

  Statement ParseSet(int line) {
    Statement statement;
    statement.line = line;
    statement.targets = ParseTargets();
    if (statement.targets.size() == 1 && tokens_.SkipOperator(".")) {
      statement.attribute = tokens_.ExpectName("an attribute's name");
    }
    if (tokens_.SkipOperator("=")) {
      statement.kind = StatementKind::kSet;
      statement.expression = expressions_.ParseTuple();
      CloseTag();
      return statement;
    }
    if (statement.targets.size() != 1 || !statement.attribute.empty()) FailSyntax(line, "a set block needs one name");
    statement.kind = StatementKind::kSetBlock;
    statement.expression = expressions_.ParseFilterChain(nullptr);
    CloseTag();
    statement.body = ParseSimpleBody("endset");
    return statement;
  }

  Statement ParseMacro(int line) {
    Statement statement;
    statement.kind = StatementKind::kMacro;
    statement.line = line;
    statement.name = tokens_.ExpectName("a macro's name");
    tokens_.ExpectOperator("(");
    while (!tokens_.AtOperator(")")) {
      Parameter& parameter = statement.parameters.emplace_back();
      parameter.name = tokens_.ExpectName("a parameter's name");
      if (tokens_.SkipOperator("=")) {
        parameter.default_value = expressions_.Parse();
      } else if (statement.parameters.size() > 1 &&
                 statement.parameters[statement.parameters.size() - 2].default_value != nullptr) {
        FailSyntax(line, "a parameter without a default stands behind one with a default");
      }
      if (!tokens_.SkipOperator(",")) break;
    }
    tokens_.ExpectOperator(")");
    CloseTag();
    const int loops_outside = std::exchange(loop_depth_, 0);  // a macro's body cannot break its caller's loop
    statement.body = ParseSimpleBody("endmacro");
    loop_depth_ = loops_outside;
    return statement;
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int depth_ = 0;
  int loop_depth_ = 0;
};

}  // namespace

std::unique_ptr<const Program> ParseTemplate(std::string_view source) {
  auto program = std::make_unique<Program>();
  program->body = StatementParser(source).ParseAll();
  return program;
}

}  // namespace chat_template::internal
