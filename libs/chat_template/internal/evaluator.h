#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/chat_template/internal/ast.h"
#include "libs/chat_template/internal/runtime.h"
#include "libs/chat_template/internal/value.h"
#include "libs/chat_template/template.h"

namespace chat_template::internal {

// Runs a program once. Throws TemplateError; line() is then where it was.
class Evaluator {
 public:
  // The three outlive the evaluator.
  Evaluator(const Program& program, const Inputs& inputs, const Limits& limits);

  MarkedText Run();
  int line() const { return line_; }

 private:
  enum class Flow { kNext, kBreak, kContinue };

  // Names that one block assigned. Loops and macros open a scope, "if" does not (as in Jinja).
  struct Scope {
    std::size_t parent = 0;
    std::vector<std::pair<std::string_view, Value>> names;  // views into the program
  };
  class ScopeGuard;
  class OutputGuard;

  void DefineInputs(const Inputs& inputs);
  void Assign(std::string_view name, Value value);
  Value Lookup(const std::string& name);
  void Emit(const MarkedText& text);

  Flow Execute(const Body& body);
  Flow ExecuteStatement(const Statement& statement);
  Flow ExecuteIf(const Statement& statement);
  Flow ExecuteFor(const Statement& statement);
  void ExecuteSet(const Statement& statement);
  void AssignTargets(const std::vector<std::string>& targets, const Value& value);
  MarkedText Capture(const Body& body);

  Value Evaluate(const Expression& expression);
  Value EvaluateSequence(const Expression& expression);
  Value EvaluateDict(const Expression& expression);
  Value EvaluateSlice(const Expression& expression);
  Value EvaluateConcatenation(const Expression& expression);
  Value EvaluateComparison(const Expression& expression);
  Value EvaluateConditional(const Expression& expression);
  Value EvaluateCall(const Expression& expression);
  Value EvaluateFilter(const Expression& expression, const Value* block_text);
  Value EvaluateTest(const Expression& expression);
  Arguments EvaluateArguments(const Expression& expression);
  Value CallMacro(const Statement& macro, const Arguments& arguments);
  Value CallGlobal(GlobalFunction function, const Arguments& arguments);
  Value Range(const Arguments& arguments);
  Value MakeNamespace(const Arguments& arguments);
  Value StrftimeNow(const Arguments& arguments);

  const Program* program_;
  std::size_t output_bytes_max_;
  Runtime runtime_;
  std::vector<Scope> scopes_;
  std::size_t scope_ = 0;  // the innermost
  MarkedText* output_ = nullptr;
  int line_ = 1;
};

}  // namespace chat_template::internal
