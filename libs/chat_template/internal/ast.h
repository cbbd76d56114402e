#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libs/chat_template/internal/value.h"

namespace chat_template::internal {

// How deep expressions and statements may nest. Evaluation recurses over them, so this also bounds the stack: a chain
// like a + b + c counts one level a term.
inline constexpr int kExpressionDepthMax = 100;
inline constexpr int kStatementDepthMax = 40;

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

enum class ExpressionKind : std::uint8_t {
  kLiteral,      // literal
  kName,         // name
  kList,         // operands
  kTuple,        // operands
  kDict,         // operands: key, value, key, value, ...
  kAttribute,    // operands[0].name
  kSubscript,    // operands[0][operands[1]]
  kSlice,        // operands[0][operands[1]:operands[2]:operands[3]]; the three may be null
  kCall,         // operands[0](operands[1..], keywords)
  kFilter,       // operands[0] | name(operands[1..], keywords); operands[0] is null for a filter block's own text
  kTest,         // operands[0] is name(operands[1..])
  kNot,          // operands[0]
  kNegate,       // operands[0]
  kPositive,     // operands[0]
  kBinary,       // operands[0] name operands[1], name one of + - * / // % **
  kConcatenate,  // operands joined as text (~)
  kCompare,      // operands[0] operators[0] operands[1] operators[1] operands[2] ...
  kAnd,          // operands[0], operands[1]
  kOr,           // operands[0], operands[1]
  kConditional,  // operands[1] if operands[0] else operands[2]; the last may be null
};

struct Expression {
  ExpressionKind kind = ExpressionKind::kLiteral;
  int line = 0;
  int depth = 1;
  std::string name;
  Value literal;
  std::vector<ExpressionPtr> operands;
  std::vector<std::pair<std::string, ExpressionPtr>> keywords;
  std::vector<std::string> operators;  // kCompare: == != < <= > >= in "not in"
};

enum class StatementKind : std::uint8_t {
  kText,      // text
  kOutput,    // expression
  kIf,        // branches in order; `otherwise`
  kFor,       // targets in expression if condition: body; `otherwise` when nothing was iterated
  kSet,       // targets = expression; with `attribute`, targets[0].attribute = expression
  kSetBlock,  // targets[0] = body as text, through `expression` (filters on null) when there is one
  kMacro,     // name(parameters): body
  kFilter,    // body as text, through `expression` (filters on null)
  kScope,     // body (generation blocks)
  kBreak,
  kContinue,
};

struct Statement;
using Body = std::vector<Statement>;

struct Branch {
  ExpressionPtr condition;
  Body body;
};

struct Parameter {
  std::string name;
  ExpressionPtr default_value;  // or null
};

struct Statement {
  StatementKind kind = StatementKind::kText;
  int line = 0;
  std::string text;
  std::string name;
  std::string attribute;
  ExpressionPtr expression;
  ExpressionPtr condition;
  std::vector<std::string> targets;
  std::vector<Parameter> parameters;
  std::vector<Branch> branches;
  Body body;
  Body otherwise;
};

struct Program {
  Body body;
};

}  // namespace chat_template::internal
