// The expressions of a template; statements.cpp has the rest of Evaluator.
#include <algorithm>
#include <chrono>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/evaluator.h"
#include "libs/chat_template/internal/evaluator_guards.h"
#include "libs/chat_template/internal/filters.h"
#include "libs/chat_template/internal/methods.h"
#include "libs/chat_template/internal/operators.h"
#include "libs/chat_template/internal/print.h"
#include "libs/chat_template/internal/tests.h"

namespace chat_template::internal {

Value Evaluator::Evaluate(const Expression& expression) {
  const Runtime::Level level(runtime_);
  runtime_.Step();
  line_ = expression.line;
  const auto operand = [&](std::size_t index) { return Evaluate(*expression.operands[index]); };
  switch (expression.kind) {
    case ExpressionKind::kLiteral:
      return expression.literal;
    case ExpressionKind::kName:
      return Lookup(expression.name);
    case ExpressionKind::kList:
    case ExpressionKind::kTuple:
      return EvaluateSequence(expression);
    case ExpressionKind::kDict:
      return EvaluateDict(expression);
    case ExpressionKind::kAttribute:
      return GetAttribute(runtime_, operand(0), expression.name);
    case ExpressionKind::kSubscript: {
      const Value container = operand(0);
      return GetItem(runtime_, container, operand(1));
    }
    case ExpressionKind::kSlice:
      return EvaluateSlice(expression);
    case ExpressionKind::kCall:
      return EvaluateCall(expression);
    case ExpressionKind::kFilter:
      return EvaluateFilter(expression, nullptr);
    case ExpressionKind::kTest:
      return EvaluateTest(expression);
    case ExpressionKind::kNot:
      return Value(!operand(0).Truthy());
    case ExpressionKind::kNegate:
      return Negate(operand(0));
    case ExpressionKind::kPositive:
      return Negate(Negate(operand(0)));
    case ExpressionKind::kBinary: {
      const Value left = operand(0);
      return Calculate(runtime_, expression.name, left, operand(1));
    }
    case ExpressionKind::kConcatenate:
      return EvaluateConcatenation(expression);
    case ExpressionKind::kCompare:
      return EvaluateComparison(expression);
    case ExpressionKind::kAnd: {
      Value left = operand(0);
      return left.Truthy() ? operand(1) : left;
    }
    case ExpressionKind::kOr: {
      Value left = operand(0);
      return left.Truthy() ? left : operand(1);
    }
    case ExpressionKind::kConditional:
      return EvaluateConditional(expression);
  }
  base::CheckFailed("an ExpressionKind", __FILE__, __LINE__, "");
}

Value Evaluator::EvaluateSequence(const Expression& expression) {
  std::vector<Value> items;
  items.reserve(expression.operands.size());
  for (const ExpressionPtr& operand : expression.operands) items.push_back(Evaluate(*operand));
  return Value::OfList(std::move(items), expression.kind == ExpressionKind::kTuple);
}

Value Evaluator::EvaluateDict(const Expression& expression) {
  std::vector<std::pair<MarkedText, Value>> entries;
  for (std::size_t i = 0; i + 1 < expression.operands.size(); i += 2) {
    const Value key = Evaluate(*expression.operands[i]);
    if (key.AsText() == nullptr) FailOperation(base::StrCat("a dict key of type ", key.TypeName()));
    Value value = Evaluate(*expression.operands[i + 1]);
    runtime_.Step(entries.size());
    const auto known = std::find_if(entries.begin(), entries.end(),
                                    [&key](const auto& entry) { return entry.first.text() == key.AsText()->text(); });
    if (known != entries.end()) {
      known->second = std::move(value);
    } else {
      entries.emplace_back(*key.AsText(), std::move(value));
    }
  }
  return Value::OfDict(std::move(entries));
}

Value Evaluator::EvaluateSlice(const Expression& expression) {
  const Value container = Evaluate(*expression.operands[0]);
  std::optional<Value> parts[3];
  const Value* pointers[3] = {nullptr, nullptr, nullptr};
  for (std::size_t i = 0; i < 3; ++i) {
    if (expression.operands[i + 1] == nullptr) continue;
    parts[i] = Evaluate(*expression.operands[i + 1]);
    pointers[i] = &*parts[i];
  }
  return GetSlice(runtime_, container, pointers[0], pointers[1], pointers[2]);
}

Value Evaluator::EvaluateConcatenation(const Expression& expression) {
  MarkedText joined;
  for (const ExpressionPtr& operand : expression.operands) joined.Append(ToText(runtime_, Evaluate(*operand)));
  return Value(std::move(joined));
}

// a < b < c: each pair is compared, until one is false.
Value Evaluator::EvaluateComparison(const Expression& expression) {
  Value left = Evaluate(*expression.operands[0]);
  for (std::size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = Evaluate(*expression.operands[i + 1]);
    if (!Compare(runtime_, expression.operators[i], left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Evaluator::EvaluateConditional(const Expression& expression) {
  if (Evaluate(*expression.operands[0]).Truthy()) return Evaluate(*expression.operands[1]);
  if (expression.operands[2] == nullptr) return Value(Undefined{"the value of an if without else"});
  return Evaluate(*expression.operands[2]);
}

Arguments Evaluator::EvaluateArguments(const Expression& expression) {
  Arguments arguments;
  for (std::size_t i = 1; i < expression.operands.size(); ++i) {
    arguments.positional.push_back(Evaluate(*expression.operands[i]));
  }
  for (const auto& [name, value] : expression.keywords) arguments.named.emplace_back(name, Evaluate(*value));
  return arguments;
}

Value Evaluator::EvaluateFilter(const Expression& expression, const Value* block_text) {
  const Runtime::Level level(runtime_);
  // In a filter block the innermost input is the block's text; further filters of the block take the result of that.
  const Expression* input = expression.operands[0].get();
  const Value value = input == nullptr                         ? *block_text
                      : input->kind == ExpressionKind::kFilter ? EvaluateFilter(*input, block_text)
                                                               : Evaluate(*input);
  return ApplyFilter(runtime_, expression.name, value, EvaluateArguments(expression));
}

Value Evaluator::EvaluateTest(const Expression& expression) {
  const Value value = Evaluate(*expression.operands[0]);
  return Value(ApplyTest(runtime_, expression.name, value, EvaluateArguments(expression)));
}

Value Evaluator::EvaluateCall(const Expression& expression) {
  const Expression& callee = *expression.operands[0];
  Value function;
  if (callee.kind == ExpressionKind::kAttribute) {
    const Value self = Evaluate(*callee.operands[0]);
    if (HasMethod(self, callee.name)) {
      return CallMethod(runtime_, self, callee.name, EvaluateArguments(expression));
    }
    function = GetAttribute(runtime_, self, callee.name);
  } else {
    function = Evaluate(callee);
  }
  const Arguments arguments = EvaluateArguments(expression);
  line_ = expression.line;
  if (const Macro* macro = function.As<Macro>(); macro != nullptr) return CallMacro(*macro->definition, arguments);
  if (const auto* global = function.As<GlobalFunction>(); global != nullptr) return CallGlobal(*global, arguments);
  const std::string name = callee.name.empty() ? "a value" : base::StrCat("\"", callee.name, "\"");
  FailOperation(base::StrCat(name, function.IsUndefined() ? " is undefined" : " is not a function"));
}

Value Evaluator::CallMacro(const Statement& macro, const Arguments& arguments) {
  if (arguments.positional.size() > macro.parameters.size()) {
    FailOperation(base::StrCat("macro \"", macro.name, "\" takes ", macro.parameters.size(), " arguments"));
  }
  for (const auto& [name, value] : arguments.named) {
    const auto known = [&name](const Parameter& parameter) { return parameter.name == name; };
    if (std::none_of(macro.parameters.begin(), macro.parameters.end(), known)) {
      FailOperation(base::StrCat("macro \"", macro.name, "\" has no parameter \"", name, "\""));
    }
  }
  MarkedText output;
  {
    const OutputGuard output_guard(this, &output);
    const ScopeGuard scope(this, /*parent=*/0);  // a macro sees the template's names, not its caller's
    for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
      const Parameter& parameter = macro.parameters[i];
      const Value* given = arguments.Find(i, parameter.name);
      Value value = given != nullptr                     ? *given
                    : parameter.default_value != nullptr ? Evaluate(*parameter.default_value)
                                                         : Value(Undefined{parameter.name});
      Assign(parameter.name, std::move(value));
    }
    Execute(macro.body);
  }
  return Value(std::move(output));
}

Value Evaluator::CallGlobal(GlobalFunction function, const Arguments& arguments) {
  switch (function) {
    case GlobalFunction::kNamespace:
      return MakeNamespace(arguments);
    case GlobalFunction::kDict: {
      std::vector<std::pair<MarkedText, Value>> entries;
      for (const auto& [name, value] : arguments.named) entries.emplace_back(MarkedText(name, false), value);
      return Value::OfDict(std::move(entries));
    }
    case GlobalFunction::kRange:
      return Range(arguments);
    case GlobalFunction::kStrftimeNow:
      return StrftimeNow(arguments);
    case GlobalFunction::kRaiseException:
      break;
  }
  // What the template itself says; what a user wrote is not for logs.
  const MarkedText message = ToText(runtime_, arguments.Get(0, "message"));
  std::string shown;
  std::size_t begin = 0;
  for (const MarkedText::Run& run : message.runs()) {
    shown += run.from_user ? "..." : message.text().substr(begin, run.end - begin);
    begin = run.end;
  }
  constexpr std::size_t kShownMax = 500;
  Fail(absl::StatusCode::kInvalidArgument,
       base::StrCat("the chat template refuses the conversation: ", shown.substr(0, kShownMax)));
}

Value Evaluator::Range(const Arguments& arguments) {
  std::int64_t start = 0;
  std::int64_t stop = arguments.GetInteger(0, "stop", 0);
  std::int64_t step = 1;
  if (arguments.positional.size() > 1) {
    start = stop;
    stop = arguments.GetInteger(1, "stop", 0);
    step = arguments.GetInteger(2, "step", 1);
  }
  if (step == 0) FailOperation("a range with a step of zero");
  std::vector<Value> numbers;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
    runtime_.Step();
    numbers.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return Value::OfList(std::move(numbers));
}

Value Evaluator::MakeNamespace(const Arguments& arguments) {
  Namespace* space = runtime_.NewNamespace();
  for (const Value& given : arguments.positional) {
    if (given.AsDict() == nullptr) FailOperation("a namespace is made of a dict or of keyword arguments");
    for (const auto& [name, value] : given.AsDict()->entries) space->attributes.emplace_back(name.text(), value);
  }
  for (const auto& [name, value] : arguments.named) space->attributes.emplace_back(name, value);
  return Value(space);
}

Value Evaluator::StrftimeNow(const Arguments& arguments) {
  constexpr std::size_t kFormatMax = 256;
  constexpr std::size_t kResultMax = 4096;
  const std::string& format = arguments.GetText(0, "format").text();
  if (format.size() > kFormatMax) FailOperation("a date format of more than 256 bytes");
  const std::time_t seconds = std::chrono::system_clock::to_time_t(runtime_.now());
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) FailOperation("the time has no date");
  std::string result(kResultMax, '\0');
  const std::size_t size = format.empty() ? 0 : std::strftime(result.data(), result.size(), format.c_str(), &parts);
  result.resize(size);
  runtime_.Copy(size);
  return Value::Trusted(result);
}

}  // namespace chat_template::internal
