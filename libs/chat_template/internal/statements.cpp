// The statements of a template; expressions.cpp has the rest of Evaluator.
#include <memory>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/evaluator.h"
#include "libs/chat_template/internal/evaluator_guards.h"
#include "libs/chat_template/internal/operators.h"
#include "libs/chat_template/internal/print.h"
#include "libs/unicode/utf8.h"

namespace chat_template::internal {

Evaluator::Evaluator(const Program& program, const Inputs& inputs, const Limits& limits)
    : program_(&program), output_bytes_max_(limits.output_bytes_max), runtime_(limits, inputs.now) {
  scopes_.emplace_back();
  DefineInputs(inputs);
}

void Evaluator::DefineInputs(const Inputs& inputs) {
  static const MarkedText kRole("role", /*from_user=*/false);
  static const MarkedText kContent("content", /*from_user=*/false);
  std::vector<Value> messages;
  for (const Message& message : inputs.messages) {
    runtime_.Step();
    runtime_.Copy(message.role.size() + message.content.size());
    messages.push_back(
        Value::OfDict({{kRole, Value(MarkedText(unicode::SanitizeUtf8(message.role), /*from_user=*/true))},
                       {kContent, Value(MarkedText(unicode::SanitizeUtf8(message.content), /*from_user=*/true))}}));
  }
  Assign("messages", Value::OfList(std::move(messages)));
  Assign("add_generation_prompt", Value(inputs.add_generation_prompt));
  Assign("tools", Value(None{}));
  Assign("documents", Value(None{}));
  // transformers leaves out the tokens that a model does not have.
  if (!inputs.bos_token.empty()) Assign("bos_token", Value::Trusted(unicode::SanitizeUtf8(inputs.bos_token)));
  if (!inputs.eos_token.empty()) Assign("eos_token", Value::Trusted(unicode::SanitizeUtf8(inputs.eos_token)));
  Assign("namespace", Value(GlobalFunction::kNamespace));
  Assign("dict", Value(GlobalFunction::kDict));
  Assign("range", Value(GlobalFunction::kRange));
  Assign("raise_exception", Value(GlobalFunction::kRaiseException));
  Assign("strftime_now", Value(GlobalFunction::kStrftimeNow));
}

MarkedText Evaluator::Run() {
  MarkedText output;
  output_ = &output;
  Execute(program_->body);
  return output;
}

void Evaluator::Assign(std::string_view name, Value value) {
  constexpr std::size_t kNamesPerStep = 16;
  auto& names = scopes_[scope_].names;
  runtime_.Step(1 + names.size() / kNamesPerStep);
  for (auto& [known, current] : names) {
    if (known == name) {
      current = std::move(value);
      return;
    }
  }
  names.emplace_back(name, std::move(value));
}

Value Evaluator::Lookup(const std::string& name) {
  constexpr std::size_t kNamesPerStep = 16;
  for (std::size_t at = scope_;; at = scopes_[at].parent) {
    runtime_.Step(scopes_[at].names.size() / kNamesPerStep);
    for (const auto& [known, value] : scopes_[at].names) {
      if (known == name) return value;
    }
    if (at == 0) return Value(Undefined{name});
  }
}

void Evaluator::Emit(const MarkedText& text) {
  runtime_.Copy(text.size());
  if (text.size() > output_bytes_max_ - output_->size()) {
    Fail(absl::StatusCode::kOutOfRange, "the prompt is too long");
  }
  output_->Append(text);
}

Evaluator::Flow Evaluator::Execute(const Body& body) {
  const Runtime::Level level(runtime_);
  for (const Statement& statement : body) {
    const Flow flow = ExecuteStatement(statement);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::ExecuteStatement(const Statement& statement) {
  runtime_.Step();
  line_ = statement.line;
  switch (statement.kind) {
    case StatementKind::kText:
      Emit(MarkedText(statement.text, /*from_user=*/false));
      return Flow::kNext;
    case StatementKind::kOutput:
      Emit(ToText(runtime_, Evaluate(*statement.expression)));
      return Flow::kNext;
    case StatementKind::kIf:
      return ExecuteIf(statement);
    case StatementKind::kFor:
      return ExecuteFor(statement);
    case StatementKind::kSet:
      ExecuteSet(statement);
      return Flow::kNext;
    case StatementKind::kSetBlock:
    case StatementKind::kFilter: {
      const Value text(Capture(statement.body));
      const Value result = statement.expression == nullptr ? text : EvaluateFilter(*statement.expression, &text);
      if (statement.kind == StatementKind::kSetBlock) {
        Assign(statement.targets[0], result);
      } else {
        Emit(ToText(runtime_, result));
      }
      return Flow::kNext;
    }
    case StatementKind::kMacro:
      Assign(statement.name, Value(Macro{&statement}));
      return Flow::kNext;
    case StatementKind::kScope: {
      const ScopeGuard scope(this, scope_);
      return Execute(statement.body);
    }
    case StatementKind::kBreak:
      return Flow::kBreak;
    case StatementKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Evaluator::Flow Evaluator::ExecuteIf(const Statement& statement) {
  for (const Branch& branch : statement.branches) {
    runtime_.Step();
    if (Evaluate(*branch.condition).Truthy()) return Execute(branch.body);
  }
  return Execute(statement.otherwise);
}

Evaluator::Flow Evaluator::ExecuteFor(const Statement& statement) {
  Items items = Iterate(runtime_, Evaluate(*statement.expression));
  if (statement.condition != nullptr) {
    std::vector<Value> chosen;
    for (const Value& item : items) {
      runtime_.Step();
      const ScopeGuard scope(this, scope_);
      AssignTargets(statement.targets, item);
      if (Evaluate(*statement.condition).Truthy()) chosen.push_back(item);
    }
    items = Iterate(runtime_, Value::OfList(std::move(chosen)));
  }
  bool completed = false;  // one round reached its end; in Jinja a loop that only breaks and continues runs its else
  for (std::size_t i = 0; i < items.size(); ++i) {
    runtime_.Step();
    const ScopeGuard scope(this, scope_);
    AssignTargets(statement.targets, items[i]);
    Assign("loop", Value(std::make_shared<Loop>(Loop{.items = items.list(), .index = i})));
    const Flow flow = Execute(statement.body);
    if (flow == Flow::kBreak) break;
    completed = completed || flow == Flow::kNext;
  }
  if (completed) return Flow::kNext;
  const ScopeGuard scope(this, scope_);
  return Execute(statement.otherwise);
}

void Evaluator::ExecuteSet(const Statement& statement) {
  Value value = Evaluate(*statement.expression);
  if (statement.attribute.empty()) {
    AssignTargets(statement.targets, value);
    return;
  }
  Namespace* space = Lookup(statement.targets[0]).AsNamespace();
  if (space == nullptr) FailOperation(base::StrCat("\"", statement.targets[0], "\" is not a namespace"));
  constexpr std::size_t kNamesPerStep = 16;
  runtime_.Step(space->attributes.size() / kNamesPerStep);
  for (auto& [name, current] : space->attributes) {
    if (name == statement.attribute) {
      current = std::move(value);
      return;
    }
  }
  space->attributes.emplace_back(statement.attribute, std::move(value));
}

void Evaluator::AssignTargets(const std::vector<std::string>& targets, const Value& value) {
  if (targets.size() == 1) {
    Assign(targets[0], value);
    return;
  }
  const Items parts = Iterate(runtime_, value);
  if (parts.size() != targets.size()) {
    FailOperation(base::StrCat("cannot unpack ", parts.size(), " values to ", targets.size(), " names"));
  }
  for (std::size_t i = 0; i < targets.size(); ++i) Assign(targets[i], parts[i]);
}

MarkedText Evaluator::Capture(const Body& body) {
  MarkedText captured;
  const OutputGuard output(this, &captured);
  const ScopeGuard scope(this, scope_);
  Execute(body);
  return captured;
}

}  // namespace chat_template::internal
