#include "libs/chat_template/internal/list_filters.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/filters.h"
#include "libs/chat_template/internal/methods.h"
#include "libs/chat_template/internal/operators.h"
#include "libs/chat_template/internal/tests.h"
#include "libs/chat_template/internal/text_operations.h"

namespace chat_template::internal {
namespace {

// `attribute` of a filter: "a.b.0" goes from attribute to attribute; an integer is an index.
Value FollowPath(Runtime& runtime, Value value, const Value& path) {
  if (path.AsText() == nullptr) return GetItem(runtime, value, path);
  std::string_view rest = path.AsText()->text();
  while (true) {
    runtime.Step();
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    std::int64_t index = 0;
    const auto parsed = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index = parsed.ec == std::errc() && parsed.ptr == part.data() + part.size();
    value = GetItem(runtime, value, is_index ? Value(index) : Value::Trusted(part));
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

// The name of a filter or test that is given as an argument, and the arguments behind it.
std::string NestedName(const Arguments& arguments, std::size_t index, bool (*known)(std::string_view),
                       std::string_view kind) {
  const std::string& name = arguments.GetText(index, "name").text();
  if (!known(name)) FailOperation(base::StrCat("no such ", kind, " is supported"));
  return name;
}

Arguments Behind(Runtime& runtime, const Arguments& arguments, std::size_t count) {
  runtime.Step(arguments.positional.size());
  Arguments rest;
  rest.positional.assign(
      arguments.positional.begin() + static_cast<std::ptrdiff_t>(std::min(count, arguments.positional.size())),
      arguments.positional.end());
  rest.named = arguments.named;
  return rest;
}

// Keeps the elements whose test (with `attribute`: of that attribute) gives `wanted`; without a test name, truth
// decides.
Value Choose(Runtime& runtime, const Value& value, const Arguments& arguments, bool by_attribute, bool wanted) {
  const std::size_t name_at = by_attribute ? 1 : 0;
  const bool has_test = arguments.positional.size() > name_at;
  const std::string test = has_test ? NestedName(arguments, name_at, IsTest, "test") : std::string();
  const Arguments rest = Behind(runtime, arguments, name_at + 1);
  std::vector<Value> chosen;
  for (const Value& item : Iterate(runtime, value)) {
    runtime.Step();
    const Value subject = by_attribute ? FollowPath(runtime, item, arguments.Get(0, "attribute")) : item;
    const bool passes = has_test ? ApplyTest(runtime, test, subject, rest) : subject.Truthy();
    if (passes == wanted) chosen.push_back(item);
  }
  return Value::OfList(std::move(chosen));
}

// What elements are ordered by: text without its case unless `case_sensitive`, as in Jinja.
Value SortKey(Runtime& runtime, const Value& item, const Value* attribute, bool case_sensitive) {
  Value key = attribute == nullptr || attribute->IsNone() ? item : FollowPath(runtime, item, *attribute);
  if (case_sensitive || key.AsText() == nullptr) return key;
  return Value(ChangeCase(runtime, *key.AsText(), Case::kLower));
}

Value SortedBy(Runtime& runtime, std::vector<std::pair<Value, Value>> keyed, bool descending) {
  const auto before = [&](const auto& a, const auto& b) {
    runtime.Step(std::min(Weight(a.first), Weight(b.first)));
    return descending ? Less(b.first, a.first) : Less(a.first, b.first);
  };
  std::stable_sort(keyed.begin(), keyed.end(), before);
  std::vector<Value> sorted;
  sorted.reserve(keyed.size());
  for (auto& [key, item] : keyed) sorted.push_back(std::move(item));
  return Value::OfList(std::move(sorted));
}

Value Extreme(Runtime& runtime, const Value& value, bool largest) {
  const Items list = Iterate(runtime, value);
  const Value* best = nullptr;
  for (const Value& item : list) {
    runtime.Step(best == nullptr ? 1 : std::min(Weight(item), Weight(*best)));
    if (best == nullptr || (largest ? Less(*best, item) : Less(item, *best))) best = &item;
  }
  return best == nullptr ? Value(Undefined{"an element"}) : *best;
}

}  // namespace

Value First(Runtime& runtime, const Value& value, const Arguments&) {
  const Items list = Iterate(runtime, value);
  return list.size() == 0 ? Value(Undefined{"the first element"}) : list[0];
}

Value Last(Runtime& runtime, const Value& value, const Arguments&) {
  const Items list = Iterate(runtime, value);
  return list.size() == 0 ? Value(Undefined{"the last element"}) : list[list.size() - 1];
}

Value ListFilter(Runtime& runtime, const Value& value, const Arguments&) {
  const Items list = Iterate(runtime, value);
  runtime.Step(list.size());
  return Value::OfList(list.list()->items);
}

Value Reverse(Runtime& runtime, const Value& value, const Arguments&) {
  const Items list = Iterate(runtime, value);
  runtime.Step(list.size());
  std::vector<Value> items(list.list()->items.rbegin(), list.list()->items.rend());
  if (value.AsText() != nullptr) return Value(Join(runtime, MarkedText(), items));
  return Value::OfList(std::move(items));
}

Value JoinFilter(Runtime& runtime, const Value& value, const Arguments& arguments) {
  const Value* separator = arguments.Find(0, "d");
  const MarkedText between = separator == nullptr ? MarkedText() : arguments.GetText(0, "d");
  std::vector<Value> items = Iterate(runtime, value).list()->items;
  if (const Value* attribute = arguments.Find(1, "attribute"); attribute != nullptr) {
    for (Value& item : items) item = FollowPath(runtime, item, *attribute);
  }
  return Value(Join(runtime, between, items));
}

Value Map(Runtime& runtime, const Value& value, const Arguments& arguments) {
  const Value* attribute = arguments.positional.empty() ? arguments.Find(0, "attribute") : nullptr;
  const Value* otherwise = attribute == nullptr ? nullptr : arguments.Find(1, "default");
  const std::string filter = attribute == nullptr ? NestedName(arguments, 0, IsFilter, "filter") : std::string();
  const Arguments rest = Behind(runtime, arguments, 1);
  std::vector<Value> mapped;
  for (const Value& item : Iterate(runtime, value)) {
    if (attribute == nullptr) {
      mapped.push_back(ApplyFilter(runtime, filter, item, rest));
      continue;
    }
    Value found = FollowPath(runtime, item, *attribute);
    mapped.push_back(found.IsUndefined() && otherwise != nullptr ? *otherwise : std::move(found));
  }
  return Value::OfList(std::move(mapped));
}

Value Select(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return Choose(runtime, value, arguments, /*by_attribute=*/false, /*wanted=*/true);
}
Value Reject(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return Choose(runtime, value, arguments, /*by_attribute=*/false, /*wanted=*/false);
}
Value SelectAttribute(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return Choose(runtime, value, arguments, /*by_attribute=*/true, /*wanted=*/true);
}
Value RejectAttribute(Runtime& runtime, const Value& value, const Arguments& arguments) {
  return Choose(runtime, value, arguments, /*by_attribute=*/true, /*wanted=*/false);
}

Value Sort(Runtime& runtime, const Value& value, const Arguments& arguments) {
  const bool descending = arguments.GetBool(0, "reverse", false);
  const bool case_sensitive = arguments.GetBool(1, "case_sensitive", false);
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& item : Iterate(runtime, value)) {
    runtime.Step();
    keyed.emplace_back(SortKey(runtime, item, arguments.Find(2, "attribute"), case_sensitive), item);
  }
  return SortedBy(runtime, std::move(keyed), descending);
}

Value DictSort(Runtime& runtime, const Value& value, const Arguments& arguments) {
  if (value.AsDict() == nullptr) FailOperation(base::StrCat("dictsort of ", value.TypeName()));
  const bool case_sensitive = arguments.GetBool(0, "case_sensitive", false);
  const bool by_value = arguments.Find(1, "by") != nullptr && arguments.GetText(1, "by").text() == "value";
  const Value position(std::int64_t{by_value ? 1 : 0});
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& pair : Iterate(runtime, DictItems(runtime, *value.AsDict()))) {
    keyed.emplace_back(SortKey(runtime, pair, &position, case_sensitive), pair);
  }
  return SortedBy(runtime, std::move(keyed), arguments.GetBool(2, "reverse", false));
}

Value Unique(Runtime& runtime, const Value& value, const Arguments& arguments) {
  const bool case_sensitive = arguments.GetBool(0, "case_sensitive", false);
  std::vector<Value> keys;
  std::vector<Value> unique;
  for (const Value& item : Iterate(runtime, value)) {
    Value key = SortKey(runtime, item, arguments.Find(1, "attribute"), case_sensitive);
    runtime.Step((keys.size() + 1) * Weight(key));
    if (std::any_of(keys.begin(), keys.end(), [&](const Value& seen) { return Equal(seen, key); })) continue;
    keys.push_back(std::move(key));
    unique.push_back(item);
  }
  return Value::OfList(std::move(unique));
}

Value Min(Runtime& runtime, const Value& value, const Arguments&) { return Extreme(runtime, value, /*largest=*/false); }
Value Max(Runtime& runtime, const Value& value, const Arguments&) { return Extreme(runtime, value, /*largest=*/true); }

}  // namespace chat_template::internal
