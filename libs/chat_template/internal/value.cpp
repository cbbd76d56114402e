#include "libs/chat_template/internal/value.h"

#include <algorithm>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"

namespace chat_template::internal {
namespace {

int DepthOf(const Value& value) {
  if (const List* list = value.AsList(); list != nullptr) return list->depth;
  if (const Dict* dict = value.AsDict(); dict != nullptr) return dict->depth;
  return 0;
}

// The depth and weight of a container, from its elements one by one.
class Extent {
 public:
  void Add(const Value& item) {
    depth_ = std::max(depth_, DepthOf(item) + 1);
    weight_ += Weight(item);
    if (depth_ > kValueDepthMax || weight_ > kValueWeightMax) FailOperation("lists nested too deep or too large");
  }
  int depth() const { return depth_; }
  std::uint64_t weight() const { return weight_; }

 private:
  int depth_ = 1;
  std::uint64_t weight_ = 1;
};

bool EqualLists(const List& left, const List& right) {
  return std::equal(left.items.begin(), left.items.end(), right.items.begin(), right.items.end(), Equal);
}

bool EqualDicts(const Dict& left, const Dict& right) {
  if (left.entries.size() != right.entries.size()) return false;
  return std::all_of(left.entries.begin(), left.entries.end(), [&right](const auto& entry) {
    const Value* other = right.Find(entry.first.text());
    return other != nullptr && Equal(entry.second, *other);
  });
}

}  // namespace

const Value* Dict::Find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name.text() == key) return &value;
  }
  return nullptr;
}

Value Value::OfList(std::vector<Value> items, bool tuple) {
  Extent extent;
  for (const Value& item : items) extent.Add(item);
  Value value;
  value.data_ = std::make_shared<const List>(
      List{.items = std::move(items), .tuple = tuple, .depth = extent.depth(), .weight = extent.weight()});
  return value;
}

Value Value::OfDict(std::vector<std::pair<MarkedText, Value>> entries) {
  Extent extent;
  for (const auto& [key, item] : entries) {
    extent.Add(Value(key));
    extent.Add(item);
  }
  Value value;
  value.data_ = std::make_shared<const Dict>(
      Dict{.entries = std::move(entries), .depth = extent.depth(), .weight = extent.weight()});
  return value;
}

std::uint64_t Weight(const Value& value) {
  constexpr std::uint64_t kTextBytesPerStep = 64;
  if (const MarkedText* text = value.AsText(); text != nullptr) return 1 + text->size() / kTextBytesPerStep;
  if (const List* list = value.AsList(); list != nullptr) return list->weight;
  if (const Dict* dict = value.AsDict(); dict != nullptr) return dict->weight;
  return 1;
}

std::int64_t Value::Integer() const {
  if (const bool* boolean = As<bool>(); boolean != nullptr) return *boolean ? 1 : 0;
  const std::int64_t* integer = As<std::int64_t>();
  CHECK(integer != nullptr);
  return *integer;
}

double Value::Number() const {
  if (const double* number = As<double>(); number != nullptr) return *number;
  return static_cast<double>(Integer());
}

bool Value::Truthy() const {
  if (IsUndefined() || IsNone()) return false;
  if (IsInteger()) return Integer() != 0;
  if (const double* number = As<double>(); number != nullptr) return *number != 0.0;
  if (const MarkedText* text = AsText(); text != nullptr) return !text->empty();
  if (const List* list = AsList(); list != nullptr) return !list->items.empty();
  if (const Dict* dict = AsDict(); dict != nullptr) return !dict->entries.empty();
  return true;
}

std::string_view Value::TypeName() const {
  static constexpr std::string_view kNames[] = {"undefined", "NoneType",    "bool",  "int",
                                                "float",     "str",         "list",  "dict",
                                                "namespace", "LoopContext", "macro", "function"};
  static_assert(std::size(kNames) == std::variant_size_v<decltype(data_)>);
  return kNames[data_.index()];
}

bool Equal(const Value& left, const Value& right) {
  if (left.IsInteger() && right.IsInteger()) return left.Integer() == right.Integer();
  if (left.IsNumber() && right.IsNumber()) return left.Number() == right.Number();
  if (left.AsText() != nullptr && right.AsText() != nullptr) return left.AsText()->text() == right.AsText()->text();
  if (left.AsList() != nullptr && right.AsList() != nullptr) return EqualLists(*left.AsList(), *right.AsList());
  if (left.AsDict() != nullptr && right.AsDict() != nullptr) return EqualDicts(*left.AsDict(), *right.AsDict());
  if (left.IsNone() || left.IsUndefined()) {
    return (left.IsNone() && right.IsNone()) || (left.IsUndefined() && right.IsUndefined());
  }
  return left.AsNamespace() != nullptr && left.AsNamespace() == right.AsNamespace();
}

bool Less(const Value& left, const Value& right) {
  if (left.IsInteger() && right.IsInteger()) return left.Integer() < right.Integer();
  if (left.IsNumber() && right.IsNumber()) return left.Number() < right.Number();
  // Code points and UTF-8 bytes have the same order.
  if (left.AsText() != nullptr && right.AsText() != nullptr) return left.AsText()->text() < right.AsText()->text();
  if (left.AsList() != nullptr && right.AsList() != nullptr) {
    const std::vector<Value>& a = left.AsList()->items;
    const std::vector<Value>& b = right.AsList()->items;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
      if (!Equal(a[i], b[i])) return Less(a[i], b[i]);
    }
    return a.size() < b.size();
  }
  FailOperation(base::StrCat("no order between ", left.TypeName(), " and ", right.TypeName()));
}

}  // namespace chat_template::internal
