#include "libs/chat_template/internal/tests.h"

#include <array>
#include <utility>

#include "libs/base/check.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/operators.h"
#include "libs/chat_template/internal/text_operations.h"

namespace chat_template::internal {
namespace {

using TypeTest = bool (*)(const Value&);

constexpr std::array<std::pair<std::string_view, TypeTest>, 16> kTypeTests = {{
    {"defined", [](const Value& v) { return !v.IsUndefined(); }},
    {"undefined", [](const Value& v) { return v.IsUndefined(); }},
    {"none", [](const Value& v) { return v.IsNone(); }},
    {"string", [](const Value& v) { return v.AsText() != nullptr; }},
    {"mapping", [](const Value& v) { return v.AsDict() != nullptr; }},
    {"sequence",
     [](const Value& v) {
       return v.AsText() != nullptr || v.AsList() != nullptr || v.AsDict() != nullptr || v.IsUndefined();
     }},
    {"iterable",
     [](const Value& v) {
       return v.AsText() != nullptr || v.AsList() != nullptr || v.AsDict() != nullptr || v.IsUndefined();
     }},
    {"boolean", [](const Value& v) { return v.As<bool>() != nullptr; }},
    {"true", [](const Value& v) { return v.As<bool>() != nullptr && *v.As<bool>(); }},
    {"false", [](const Value& v) { return v.As<bool>() != nullptr && !*v.As<bool>(); }},
    {"integer", [](const Value& v) { return v.As<std::int64_t>() != nullptr; }},
    {"float", [](const Value& v) { return v.As<double>() != nullptr; }},
    {"number", [](const Value& v) { return v.IsNumber(); }},
    {"callable", [](const Value& v) { return v.As<Macro>() != nullptr || v.As<GlobalFunction>() != nullptr; }},
    {"odd", [](const Value& v) { return v.IsInteger() && v.Integer() % 2 != 0; }},
    {"even", [](const Value& v) { return v.IsInteger() && v.Integer() % 2 == 0; }},
}};

// Tests with one argument that are comparisons by another name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kComparisons = {{
    {"eq", "=="},
    {"equalto", "=="},
    {"sameas", "=="},
    {"ne", "!="},
    {"lt", "<"},
    {"lessthan", "<"},
    {"le", "<="},
    {"gt", ">"},
    {"greaterthan", ">"},
    {"ge", ">="},
    {"in", "in"},
    {"divisibleby", "%"},
}};

TypeTest FindTypeTest(std::string_view name) {
  for (const auto& [known, test] : kTypeTests) {
    if (known == name) return test;
  }
  return nullptr;
}

std::string_view FindComparison(std::string_view name) {
  for (const auto& [known, op] : kComparisons) {
    if (known == name) return op;
  }
  return {};
}

}  // namespace

bool IsTest(std::string_view name) {
  return FindTypeTest(name) != nullptr || !FindComparison(name).empty() || name == "upper" || name == "lower";
}

bool ApplyTest(Runtime& runtime, std::string_view name, const Value& value, const Arguments& arguments) {
  runtime.Step();
  if (const TypeTest test = FindTypeTest(name); test != nullptr) return test(value);
  if (name == "upper" || name == "lower") {
    if (value.AsText() == nullptr) FailOperation("the test for letter case needs text");
    const MarkedText changed = ChangeCase(runtime, *value.AsText(), name == "upper" ? Case::kUpper : Case::kLower);
    const MarkedText other = ChangeCase(runtime, *value.AsText(), name == "upper" ? Case::kLower : Case::kUpper);
    return changed.text() == value.AsText()->text() && other.text() != changed.text();  // at least one letter has case
  }
  const std::string_view op = FindComparison(name);
  CHECK(!op.empty());
  const Value& other = arguments.Get(0, "other");
  if (op == "%") return Calculate(runtime, op, value, other).Number() == 0.0;
  // `is sameas` is identity in Python; for the singletons true, false and none, its only use, equality of type and
  // value.
  if (name == "sameas" && value.TypeName() != other.TypeName()) return false;
  return Compare(runtime, op, value, other);
}

}  // namespace chat_template::internal
