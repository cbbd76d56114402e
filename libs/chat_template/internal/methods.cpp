#include "libs/chat_template/internal/methods.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/operators.h"
#include "libs/chat_template/internal/text_operations.h"
#include "libs/unicode/category.h"
#include "libs/unicode/utf8.h"

namespace chat_template::internal {
namespace {

using TextMethod = Value (*)(Runtime&, const MarkedText&, const Arguments&);

const MarkedText* OptionalText(const Arguments& arguments, std::size_t index, std::string_view name) {
  const Value* value = arguments.Find(index, name);
  return value == nullptr || value->IsNone() ? nullptr : &arguments.GetText(index, name);
}

template <Side side>
Value StripMethod(Runtime& runtime, const MarkedText& self, const Arguments& arguments) {
  return Value(Strip(runtime, self, side, OptionalText(arguments, 0, "chars")));
}

template <Case wanted>
Value CaseMethod(Runtime& runtime, const MarkedText& self, const Arguments&) {
  return Value(ChangeCase(runtime, self, wanted));
}

template <bool from_right>
Value SplitMethod(Runtime& runtime, const MarkedText& self, const Arguments& arguments) {
  return Value::OfList(
      Split(runtime, self, OptionalText(arguments, 0, "sep"), arguments.GetInteger(1, "maxsplit", -1), from_right));
}

Value SplitLinesMethod(Runtime& runtime, const MarkedText& self, const Arguments&) {
  return Value::OfList(SplitLines(runtime, self));
}

Value ReplaceMethod(Runtime& runtime, const MarkedText& self, const Arguments& arguments) {
  return Value(Replace(runtime, self, arguments.GetText(0, "old"), arguments.GetText(1, "new"),
                       arguments.GetInteger(2, "count", -1)));
}

Value JoinMethod(Runtime& runtime, const MarkedText& self, const Arguments& arguments) {
  return Value(Join(runtime, self, Iterate(runtime, arguments.Get(0, "iterable")).list()->items));
}

// startswith and endswith take one text or a tuple of texts.
template <typename Matches>
bool MatchesAny(const Arguments& arguments, const Matches& matches) {
  const List* several = arguments.Get(0, "prefix").AsList();
  if (several == nullptr) return matches(arguments.GetText(0, "prefix").text());
  return std::any_of(several->items.begin(), several->items.end(), [&](const Value& item) {
    if (item.AsText() == nullptr) FailOperation("a prefix or suffix that is no text");
    return matches(item.AsText()->text());
  });
}

Value StartsWith(Runtime& runtime, const MarkedText& self, const Arguments& arguments) {
  runtime.Step(Weight(arguments.Get(0, "prefix")));
  return Value(MatchesAny(arguments, [&](const std::string& text) { return self.text().starts_with(text); }));
}

Value EndsWith(Runtime& runtime, const MarkedText& self, const Arguments& arguments) {
  runtime.Step(Weight(arguments.Get(0, "prefix")));
  return Value(MatchesAny(arguments, [&](const std::string& text) { return self.text().ends_with(text); }));
}

Value RemovePrefix(Runtime& runtime, const MarkedText& self, const Arguments& arguments) {
  const std::string& prefix = arguments.GetText(0, "prefix").text();
  runtime.Copy(self.size());
  return Value(self.Slice(self.text().starts_with(prefix) ? prefix.size() : 0, self.size()));
}

Value RemoveSuffix(Runtime& runtime, const MarkedText& self, const Arguments& arguments) {
  const std::string& suffix = arguments.GetText(0, "suffix").text();
  runtime.Copy(self.size());
  return Value(self.Slice(0, self.text().ends_with(suffix) ? self.size() - suffix.size() : self.size()));
}

template <bool from_right>
Value FindMethod(Runtime& runtime, const MarkedText& self, const Arguments& arguments) {
  runtime.Copy(self.size());
  const std::string& wanted = arguments.GetText(0, "sub").text();
  const std::size_t found = from_right ? self.text().rfind(wanted) : self.text().find(wanted);
  if (found == std::string::npos) return Value(std::int64_t{-1});
  return Value(static_cast<std::int64_t>(unicode::CodePointCount(std::string_view(self.text()).substr(0, found))));
}

Value CountMethod(Runtime& runtime, const MarkedText& self, const Arguments& arguments) {
  runtime.Copy(self.size());
  const std::string& wanted = arguments.GetText(0, "sub").text();
  if (wanted.empty()) FailOperation("counting empty text");
  std::int64_t count = 0;
  for (std::size_t at = self.text().find(wanted); at != std::string::npos;
       at = self.text().find(wanted, at + wanted.size())) {
    ++count;
  }
  return Value(count);
}

template <bool (*has_property)(char32_t)>
Value AllHave(Runtime& runtime, const MarkedText& self, const Arguments&) {
  runtime.Copy(self.size());
  for (std::size_t at = 0; at < self.size();) {
    const unicode::Decoded decoded = unicode::DecodeUtf8(self.text(), at);
    if (!has_property(decoded.code_point)) return Value(false);
    at += decoded.length;
  }
  return Value(!self.empty());
}

constexpr std::array<std::pair<std::string_view, TextMethod>, 22> kTextMethods = {{
    {"strip", StripMethod<Side::kBoth>},
    {"lstrip", StripMethod<Side::kLeft>},
    {"rstrip", StripMethod<Side::kRight>},
    {"upper", CaseMethod<Case::kUpper>},
    {"lower", CaseMethod<Case::kLower>},
    {"capitalize", CaseMethod<Case::kCapitalize>},
    {"title", CaseMethod<Case::kTitle>},
    {"split", SplitMethod<false>},
    {"rsplit", SplitMethod<true>},
    {"splitlines", SplitLinesMethod},
    {"replace", ReplaceMethod},
    {"join", JoinMethod},
    {"startswith", StartsWith},
    {"endswith", EndsWith},
    {"removeprefix", RemovePrefix},
    {"removesuffix", RemoveSuffix},
    {"find", FindMethod<false>},
    {"rfind", FindMethod<true>},
    {"count", CountMethod},
    {"isalpha", AllHave<unicode::IsLetter>},
    {"isdigit", AllHave<unicode::IsNumber>},
    {"isspace", AllHave<unicode::IsWhitespace>},
}};

TextMethod FindTextMethod(std::string_view name) {
  for (const auto& [known, method] : kTextMethods) {
    if (known == name) return method;
  }
  return nullptr;
}

bool IsDictMethod(std::string_view name) {
  return name == "items" || name == "keys" || name == "values" || name == "get";
}

Value CallDictMethod(Runtime& runtime, const Dict& dict, std::string_view name, const Arguments& arguments) {
  if (name == "items") return DictItems(runtime, dict);
  if (name == "get") {
    const Value& key = arguments.Get(0, "key");
    const Value* found = key.AsText() == nullptr ? nullptr : dict.Find(key.AsText()->text());
    if (found != nullptr) return *found;
    const Value* otherwise = arguments.Find(1, "default");
    return otherwise == nullptr ? Value(None{}) : *otherwise;
  }
  std::vector<Value> items;
  for (const auto& [key, value] : dict.entries) {
    runtime.Step();
    items.push_back(name == "keys" ? Value(key) : value);
  }
  return Value::OfList(std::move(items));
}

}  // namespace

bool HasMethod(const Value& self, std::string_view name) {
  if (self.AsText() != nullptr) return FindTextMethod(name) != nullptr;
  return self.AsDict() != nullptr && IsDictMethod(name);
}

Value CallMethod(Runtime& runtime, const Value& self, std::string_view name, const Arguments& arguments) {
  runtime.Step();
  if (const Dict* dict = self.AsDict(); dict != nullptr) return CallDictMethod(runtime, *dict, name, arguments);
  const TextMethod method = FindTextMethod(name);
  CHECK(method != nullptr && self.AsText() != nullptr);
  return method(runtime, *self.AsText(), arguments);
}

Value DictItems(Runtime& runtime, const Dict& dict) {
  std::vector<Value> pairs;
  for (const auto& [key, value] : dict.entries) {
    runtime.Step();
    pairs.push_back(Value::OfList({Value(key), value}, /*tuple=*/true));
  }
  return Value::OfList(std::move(pairs));
}

}  // namespace chat_template::internal
