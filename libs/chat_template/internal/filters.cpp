#include "libs/chat_template/internal/filters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/list_filters.h"
#include "libs/chat_template/internal/methods.h"
#include "libs/chat_template/internal/operators.h"
#include "libs/chat_template/internal/print.h"
#include "libs/chat_template/internal/python_text.h"
#include "libs/chat_template/internal/text_operations.h"

namespace chat_template::internal {
namespace {

using Filter = Value (*)(Runtime&, const Value&, const Arguments&);

Value Trim(Runtime& runtime, const Value& value, const Arguments& arguments) {
  const Value* characters = arguments.Find(0, "chars");
  const MarkedText* set = characters == nullptr ? nullptr : characters->AsText();
  return Value(Strip(runtime, ToText(runtime, value), Side::kBoth, set));
}

template <Case wanted>
Value CaseFilter(Runtime& runtime, const Value& value, const Arguments&) {
  return Value(ChangeCase(runtime, ToText(runtime, value), wanted));
}

Value LengthFilter(Runtime& runtime, const Value& value, const Arguments&) { return Value(Length(runtime, value)); }

Value StringFilter(Runtime& runtime, const Value& value, const Arguments&) { return Value(ToText(runtime, value)); }

Value ReplaceFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return Value(Replace(runtime, ToText(runtime, value), arguments.GetText(0, "old"), arguments.GetText(1, "new"),
                       arguments.GetInteger(2, "count", -1)));
}

Value ToJsonFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
  JsonStyle style;
  for (const auto& [name, given] : arguments.named) {
    if (name == "ensure_ascii" && !given.Truthy()) continue;  // already so
    if (name == "indent" || name == "sort_keys") continue;
    FailOperation(base::StrCat("argument \"", name, "\" of tojson is not supported"));
  }
  if (!arguments.positional.empty()) FailOperation("tojson takes keyword arguments only");
  const Value* indent = arguments.Find(0, "indent");
  if (indent != nullptr && !indent->IsNone()) style.indent = arguments.GetInteger(0, "indent", 0);
  style.sort_keys = arguments.GetBool(0, "sort_keys", false);
  return Value(ToJson(runtime, value, style));
}

Value Default(Runtime&, const Value& value, const Arguments& arguments) {
  const bool also_falsy = arguments.GetBool(1, "boolean", false);
  if (!value.IsUndefined() && !(also_falsy && !value.Truthy())) return value;
  const Value* otherwise = arguments.Find(0, "default_value");
  return otherwise == nullptr ? Value::Trusted("") : *otherwise;
}

Value Items(Runtime& runtime, const Value& value, const Arguments&) {
  if (value.IsUndefined()) return Value::OfList({});
  if (value.AsDict() == nullptr) FailOperation(base::StrCat("items of ", value.TypeName()));
  return DictItems(runtime, *value.AsDict());
}

Value Safe(Runtime&, const Value& value, const Arguments&) { return value; }  // nothing is escaped anyway

Value Abs(Runtime&, const Value& value, const Arguments&) {
  if (!value.IsNumber()) FailOperation(base::StrCat("abs of ", value.TypeName()));
  return value.Number() < 0 ? Negate(value) : value;
}

// A text that is wholly one number, white space around it aside.
template <typename T>
bool ParseNumber(Runtime& runtime, const MarkedText& text, T& number) {
  const MarkedText stripped = Strip(runtime, text, Side::kBoth, nullptr);
  const char* begin = stripped.text().data();
  const char* const end = begin + stripped.size();
  if (begin != end && *begin == '+') ++begin;
  const std::from_chars_result result = std::from_chars(begin, end, number);
  return result.ec == std::errc() && result.ptr == end;
}

Value Int(Runtime& runtime, const Value& value, const Arguments& arguments) {
  if (value.IsInteger()) return Value(value.Integer());
  double number = 0;
  std::int64_t integer = 0;
  const bool is_text = value.AsText() != nullptr;
  if (is_text && ParseNumber(runtime, *value.AsText(), integer)) return Value(integer);
  const bool is_number =
      is_text ? ParseNumber(runtime, *value.AsText(), number) : value.IsNumber() && (number = value.Number(), true);
  constexpr double kBound = 9223372036854774784.0;  // the largest double below 2^63
  if (is_number && number >= -kBound && number <= kBound) return Value(static_cast<std::int64_t>(number));
  return Value(arguments.GetInteger(0, "default", 0));
}

Value Float(Runtime& runtime, const Value& value, const Arguments& arguments) {
  if (value.IsNumber()) return Value(value.Number());
  double number = 0;
  if (value.AsText() != nullptr && ParseNumber(runtime, *value.AsText(), number)) return Value(number);
  const Value* otherwise = arguments.Find(0, "default");
  return otherwise == nullptr ? Value(0.0) : *otherwise;
}

Value Indent(Runtime& runtime, const Value& value, const Arguments& arguments) {
  constexpr std::int64_t kWidthMax = 256;
  const std::int64_t width = std::clamp<std::int64_t>(arguments.GetInteger(0, "width", 4), 0, kWidthMax);
  const bool indent_first = arguments.GetBool(1, "first", false);
  const bool indent_blank = arguments.GetBool(2, "blank", false);
  const std::string padding(static_cast<std::size_t>(width), ' ');
  MarkedText text = ToText(runtime, value);
  text.Append("\n", /*from_user=*/false);  // as Jinja does, so that a text that ends in a newline has a last empty line
  const std::vector<Value> lines = SplitLines(runtime, text);
  MarkedText indented;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const MarkedText& line = *lines[i].AsText();
    if (i > 0) indented.Append("\n", /*from_user=*/false);
    if (i == 0 ? indent_first : indent_blank || !line.empty()) indented.Append(padding, /*from_user=*/false);
    runtime.Copy(padding.size() + line.size() + 1);
    indented.Append(line);
  }
  return Value(std::move(indented));
}

constexpr std::array<std::pair<std::string_view, Filter>, 33> kFilters = {{
    {"abs", Abs},
    {"capitalize", CaseFilter<Case::kCapitalize>},
    {"count", LengthFilter},
    {"d", Default},
    {"default", Default},
    {"dictsort", DictSort},
    {"first", First},
    {"float", Float},
    {"indent", Indent},
    {"int", Int},
    {"items", Items},
    {"join", JoinFilter},
    {"last", Last},
    {"length", LengthFilter},
    {"list", ListFilter},
    {"lower", CaseFilter<Case::kLower>},
    {"map", Map},
    {"max", Max},
    {"min", Min},
    {"reject", Reject},
    {"rejectattr", RejectAttribute},
    {"replace", ReplaceFilter},
    {"reverse", Reverse},
    {"safe", Safe},
    {"select", Select},
    {"selectattr", SelectAttribute},
    {"sort", Sort},
    {"string", StringFilter},
    {"title", CaseFilter<Case::kTitle>},
    {"tojson", ToJsonFilter},
    {"trim", Trim},
    {"unique", Unique},
    {"upper", CaseFilter<Case::kUpper>},
}};

Filter FindFilter(std::string_view name) {
  const auto found =
      std::lower_bound(kFilters.begin(), kFilters.end(), name,
                       [](const auto& filter, std::string_view wanted) { return filter.first < wanted; });
  return found != kFilters.end() && found->first == name ? found->second : nullptr;
}

static_assert(std::is_sorted(kFilters.begin(), kFilters.end(),
                             [](const auto& a, const auto& b) { return a.first < b.first; }));

}  // namespace

bool IsFilter(std::string_view name) { return FindFilter(name) != nullptr; }

Value ApplyFilter(Runtime& runtime, std::string_view name, const Value& value, const Arguments& arguments) {
  const Runtime::Level level(runtime);
  runtime.Step();
  const Filter filter = FindFilter(name);
  CHECK(filter != nullptr);
  return filter(runtime, value, arguments);
}

}  // namespace chat_template::internal
