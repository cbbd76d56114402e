#include <charconv>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/filters.h"
#include "libs/chat_template/internal/parser.h"
#include "libs/chat_template/internal/tests.h"

namespace chat_template::internal {
namespace {

template <typename... Operands>
std::unique_ptr<Expression> Make(ExpressionKind kind, int line, Operands... operands) {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = line;
  (made->operands.push_back(std::move(operands)), ...);
  return made;
}

// Every expression passes through here when it is complete: its depth is known and bounded.
ExpressionPtr Finish(std::unique_ptr<Expression> made) {
  int deepest = 0;
  for (const ExpressionPtr& operand : made->operands) {
    if (operand != nullptr && operand->depth > deepest) deepest = operand->depth;
  }
  for (const auto& [name, operand] : made->keywords) {
    if (operand->depth > deepest) deepest = operand->depth;
  }
  made->depth = deepest + 1;
  if (made->depth > kExpressionDepthMax) {
    FailSyntax(made->line, base::StrCat("an expression nests deeper than ", kExpressionDepthMax));
  }
  return made;
}

ExpressionPtr Literal(int line, Value value) {
  auto made = Make(ExpressionKind::kLiteral, line);
  made->literal = std::move(value);
  return made;
}

}  // namespace

// Counts recursion of the parser itself: "((((" builds no expression before its end.
class ExpressionParser::Nesting {
 public:
  explicit Nesting(ExpressionParser* parser) : parser_(parser) {
    if (++parser_->nesting_ > kExpressionDepthMax) {
      FailSyntax(parser_->tokens_->Peek().line, base::StrCat("an expression nests deeper than ", kExpressionDepthMax));
    }
  }
  ~Nesting() { --parser_->nesting_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  ExpressionParser* parser_;
};

ExpressionPtr ExpressionParser::Parse() {
  const Nesting nesting(this);
  ExpressionPtr value = ParseOr();
  while (tokens_->AtName("if")) {
    const int line = tokens_->Take().line;
    ExpressionPtr condition = ParseOr();
    ExpressionPtr otherwise = tokens_->SkipName("else") ? Parse() : nullptr;
    value =
        Finish(Make(ExpressionKind::kConditional, line, std::move(condition), std::move(value), std::move(otherwise)));
  }
  return value;
}

ExpressionPtr ExpressionParser::ParseTuple() { return ParseTupleOf(/*with_condition=*/true); }
ExpressionPtr ExpressionParser::ParseIterable() { return ParseTupleOf(/*with_condition=*/false); }

ExpressionPtr ExpressionParser::ParseTupleOf(bool with_condition) {
  const int line = tokens_->Peek().line;
  ExpressionPtr first = with_condition ? Parse() : ParseOr();
  if (!tokens_->AtOperator(",")) return first;
  auto tuple = Make(ExpressionKind::kTuple, line, std::move(first));
  while (tokens_->SkipOperator(",")) {
    const TokenKind kind = tokens_->Peek().kind;
    if (kind == TokenKind::kStatementClose || kind == TokenKind::kOutputClose || tokens_->AtOperator(")")) break;
    tuple->operands.push_back(with_condition ? Parse() : ParseOr());
  }
  return Finish(std::move(tuple));
}

ExpressionPtr ExpressionParser::ParseOr() {
  ExpressionPtr left = ParseAnd();
  while (tokens_->AtName("or")) {
    const int line = tokens_->Take().line;
    ExpressionPtr right = ParseAnd();
    left = Finish(Make(ExpressionKind::kOr, line, std::move(left), std::move(right)));
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseAnd() {
  ExpressionPtr left = ParseNot();
  while (tokens_->AtName("and")) {
    const int line = tokens_->Take().line;
    ExpressionPtr right = ParseNot();
    left = Finish(Make(ExpressionKind::kAnd, line, std::move(left), std::move(right)));
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseNot() {
  if (!tokens_->AtName("not")) return ParseCompare();
  const Nesting nesting(this);
  const int line = tokens_->Take().line;
  return Finish(Make(ExpressionKind::kNot, line, ParseNot()));
}

ExpressionPtr ExpressionParser::ParseCompare() {
  ExpressionPtr first = ParseSum();
  std::unique_ptr<Expression> compare;
  while (true) {
    std::string op;
    const Token& next = tokens_->Peek();
    if (next.kind == TokenKind::kOperator && (next.text == "==" || next.text == "!=" || next.text == "<" ||
                                              next.text == "<=" || next.text == ">" || next.text == ">=")) {
      op = tokens_->Take().text;
    } else if (tokens_->SkipName("in")) {
      op = "in";
    } else if (tokens_->AtName("not") && tokens_->Peek(1).kind == TokenKind::kName && tokens_->Peek(1).text == "in") {
      tokens_->Take();
      tokens_->Take();
      op = "not in";
    } else {
      break;
    }
    if (compare == nullptr) compare = Make(ExpressionKind::kCompare, next.line, std::move(first));
    compare->operators.push_back(std::move(op));
    compare->operands.push_back(ParseSum());
  }
  return compare == nullptr ? std::move(first) : Finish(std::move(compare));
}

ExpressionPtr ExpressionParser::ParseSum() {
  ExpressionPtr left = ParseConcatenation();
  while (tokens_->AtOperator("+") || tokens_->AtOperator("-")) {
    const Token op = tokens_->Take();
    ExpressionPtr right = ParseConcatenation();
    auto sum = Make(ExpressionKind::kBinary, op.line, std::move(left), std::move(right));
    sum->name = op.text;
    left = Finish(std::move(sum));
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseConcatenation() {
  const int line = tokens_->Peek().line;
  ExpressionPtr first = ParseProduct();
  if (!tokens_->AtOperator("~")) return first;
  auto joined = Make(ExpressionKind::kConcatenate, line, std::move(first));
  while (tokens_->SkipOperator("~")) joined->operands.push_back(ParseProduct());
  return Finish(std::move(joined));
}

ExpressionPtr ExpressionParser::ParseProduct() {
  ExpressionPtr left = ParsePower();
  while (tokens_->AtOperator("*") || tokens_->AtOperator("/") || tokens_->AtOperator("//") ||
         tokens_->AtOperator("%")) {
    const Token op = tokens_->Take();
    ExpressionPtr right = ParsePower();
    auto product = Make(ExpressionKind::kBinary, op.line, std::move(left), std::move(right));
    product->name = op.text;
    left = Finish(std::move(product));
  }
  return left;
}

ExpressionPtr ExpressionParser::ParsePower() {
  ExpressionPtr left = ParseUnary(/*with_filters=*/true);
  while (tokens_->AtOperator("**")) {
    const Token op = tokens_->Take();
    ExpressionPtr right = ParseUnary(/*with_filters=*/true);
    auto power = Make(ExpressionKind::kBinary, op.line, std::move(left), std::move(right));
    power->name = op.text;
    left = Finish(std::move(power));
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseUnary(bool with_filters) {
  ExpressionPtr value;
  if (tokens_->AtOperator("-") || tokens_->AtOperator("+")) {
    const Nesting nesting(this);
    const Token op = tokens_->Take();
    const auto kind = op.text == "-" ? ExpressionKind::kNegate : ExpressionKind::kPositive;
    value = Finish(Make(kind, op.line, ParseUnary(/*with_filters=*/false)));
  } else {
    value = ParsePostfix(ParsePrimary());
  }
  return with_filters ? ParseFiltersAndTests(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::ParsePrimary() {
  const Token& next = tokens_->Peek();
  const int line = next.line;
  switch (next.kind) {
    case TokenKind::kName:
      return ParseNameOrConstant();
    case TokenKind::kString: {
      std::string text = tokens_->Take().text;
      while (tokens_->Peek().kind == TokenKind::kString) text += tokens_->Take().text;
      return Literal(line, Value::Trusted(text));
    }
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return ParseNumber();
    default:
      break;
  }
  if (tokens_->AtOperator("(")) return ParseParenthesis();
  if (tokens_->AtOperator("[")) return ParseList();
  if (tokens_->AtOperator("{")) return ParseDict();
  FailSyntax(line, base::StrCat("an expression is missing before \"", next.text, "\""));
}

ExpressionPtr ExpressionParser::ParseNameOrConstant() {
  Token token = tokens_->Take();
  if (token.text == "true" || token.text == "True") return Literal(token.line, Value(true));
  if (token.text == "false" || token.text == "False") return Literal(token.line, Value(false));
  if (token.text == "none" || token.text == "None") return Literal(token.line, Value(None{}));
  auto name = Make(ExpressionKind::kName, token.line);
  name->name = std::move(token.text);
  return name;
}

ExpressionPtr ExpressionParser::ParseNumber() {
  const Token token = tokens_->Take();
  const char* const begin = token.text.data();
  const char* const end = begin + token.text.size();
  if (token.kind == TokenKind::kInteger) {
    std::int64_t integer = 0;
    if (std::from_chars(begin, end, integer).ec != std::errc()) FailSyntax(token.line, "an integer beyond 64 bits");
    return Literal(token.line, Value(integer));
  }
  double number = 0;
  if (std::from_chars(begin, end, number).ec != std::errc()) FailSyntax(token.line, "a number beyond a double");
  return Literal(token.line, Value(number));
}

ExpressionPtr ExpressionParser::ParseParenthesis() {
  const int line = tokens_->Take().line;
  if (tokens_->SkipOperator(")")) return Finish(Make(ExpressionKind::kTuple, line));
  ExpressionPtr inside = ParseTuple();
  tokens_->ExpectOperator(")");
  return inside;
}

ExpressionPtr ExpressionParser::ParseList() {
  auto list = Make(ExpressionKind::kList, tokens_->Take().line);
  while (!tokens_->AtOperator("]")) {
    list->operands.push_back(Parse());
    if (!tokens_->SkipOperator(",")) break;
  }
  tokens_->ExpectOperator("]");
  return Finish(std::move(list));
}

ExpressionPtr ExpressionParser::ParseDict() {
  auto dict = Make(ExpressionKind::kDict, tokens_->Take().line);
  while (!tokens_->AtOperator("}")) {
    dict->operands.push_back(Parse());
    tokens_->ExpectOperator(":");
    dict->operands.push_back(Parse());
    if (!tokens_->SkipOperator(",")) break;
  }
  tokens_->ExpectOperator("}");
  return Finish(std::move(dict));
}

ExpressionPtr ExpressionParser::ParsePostfix(ExpressionPtr input) {
  while (true) {
    const int line = tokens_->Peek().line;
    if (tokens_->SkipOperator(".")) {
      const Token& next = tokens_->Peek();
      if (next.kind == TokenKind::kInteger) {  // a.0 is a[0]
        input = Finish(Make(ExpressionKind::kSubscript, line, std::move(input), ParseNumber()));
        continue;
      }
      auto attribute = Make(ExpressionKind::kAttribute, line, std::move(input));
      attribute->name = tokens_->ExpectName("an attribute's name");
      input = Finish(std::move(attribute));
    } else if (tokens_->AtOperator("[")) {
      input = ParseSubscript(std::move(input));
    } else if (tokens_->AtOperator("(")) {
      auto call = Make(ExpressionKind::kCall, line, std::move(input));
      ParseArguments(*call);
      input = Finish(std::move(call));
    } else {
      return input;
    }
  }
}

ExpressionPtr ExpressionParser::ParseSubscript(ExpressionPtr input) {
  const int line = tokens_->Take().line;
  ExpressionPtr parts[3];
  int colons = 0;
  while (true) {
    if (tokens_->SkipOperator(":")) {
      if (++colons > 2) FailSyntax(line, "a slice has more than three parts");
      continue;
    }
    if (tokens_->AtOperator("]")) break;
    if (parts[colons] != nullptr) FailSyntax(line, "a subscript has two values");
    parts[colons] = Parse();
  }
  tokens_->ExpectOperator("]");
  if (colons == 0) {
    if (parts[0] == nullptr) FailSyntax(line, "an empty subscript");
    return Finish(Make(ExpressionKind::kSubscript, line, std::move(input), std::move(parts[0])));
  }
  return Finish(Make(ExpressionKind::kSlice, line, std::move(input), std::move(parts[0]), std::move(parts[1]),
                     std::move(parts[2])));
}

ExpressionPtr ExpressionParser::ParseFiltersAndTests(ExpressionPtr input) {
  while (true) {
    if (tokens_->AtOperator("|")) {
      input = ParseFilter(std::move(input));
    } else if (tokens_->AtName("is")) {
      input = ParseTest(std::move(input));
    } else if (tokens_->AtOperator("(")) {
      input = ParsePostfix(std::move(input));
    } else {
      return input;
    }
  }
}

ExpressionPtr ExpressionParser::ParseFilterChain(ExpressionPtr input) {
  while (tokens_->AtOperator("|")) input = ParseFilter(std::move(input));
  return input;
}

ExpressionPtr ExpressionParser::ParseFilter(ExpressionPtr input) {
  tokens_->SkipOperator("|");
  auto filter = Make(ExpressionKind::kFilter, tokens_->Peek().line, std::move(input));
  filter->name = tokens_->ExpectName("a filter's name");
  if (!IsFilter(filter->name)) FailUnsupported(filter->line, base::StrCat("filter \"", filter->name, "\""));
  if (tokens_->AtOperator("(")) ParseArguments(*filter);
  return Finish(std::move(filter));
}

ExpressionPtr ExpressionParser::ParseFilterBody() { return ParseFilterChain(ParseFilter(nullptr)); }

ExpressionPtr ExpressionParser::ParseTest(ExpressionPtr input) {
  const int line = tokens_->Take().line;
  const bool negated = tokens_->SkipName("not");
  auto test = Make(ExpressionKind::kTest, line, std::move(input));
  test->name = tokens_->ExpectName("a test's name");
  if (!IsTest(test->name)) FailUnsupported(line, base::StrCat("test \"", test->name, "\""));
  const Token& next = tokens_->Peek();
  const bool word = next.kind == TokenKind::kName && next.text != "else" && next.text != "or" && next.text != "and" &&
                    next.text != "is" && next.text != "if" && next.text != "not" && next.text != "in";
  if (tokens_->AtOperator("(")) {
    ParseArguments(*test);
  } else if (word || next.kind == TokenKind::kString || next.kind == TokenKind::kInteger ||
             next.kind == TokenKind::kFloat || tokens_->AtOperator("[") || tokens_->AtOperator("{")) {
    test->operands.push_back(ParsePostfix(ParsePrimary()));  // `is divisibleby 3`
  }
  if (!test->keywords.empty()) FailUnsupported(line, "a keyword argument of a test");
  ExpressionPtr finished = Finish(std::move(test));
  return negated ? Finish(Make(ExpressionKind::kNot, line, std::move(finished))) : std::move(finished);
}

void ExpressionParser::ParseArguments(Expression& call) {
  tokens_->ExpectOperator("(");
  while (!tokens_->AtOperator(")")) {
    if (tokens_->AtOperator("*") || tokens_->AtOperator("**")) FailUnsupported(call.line, "argument unpacking");
    const Token& next = tokens_->Peek();
    const Token& after = tokens_->Peek(1);
    if (next.kind == TokenKind::kName && after.kind == TokenKind::kOperator && after.text == "=") {
      std::string name = tokens_->Take().text;
      tokens_->Take();
      call.keywords.emplace_back(std::move(name), Parse());
    } else {
      if (!call.keywords.empty()) FailSyntax(call.line, "a positional argument stands behind a keyword argument");
      call.operands.push_back(Parse());
    }
    if (!tokens_->SkipOperator(",")) break;
  }
  tokens_->ExpectOperator(")");
}

}  // namespace chat_template::internal
