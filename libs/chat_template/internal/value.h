#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "libs/chat_template/internal/marked_text.h"

namespace chat_template::internal {

struct Statement;
class Value;

struct Undefined {
  std::string name;  // of the variable or attribute that is missing, for messages
};
struct None {};

struct List {
  std::vector<Value> items;
  bool tuple = false;        // differs only in how it is printed
  int depth = 1;             // lists and dicts inside one another; bounded, because destruction recurses
  std::uint64_t weight = 1;  // see Weight()
};

struct Dict {
  std::vector<std::pair<MarkedText, Value>> entries;  // in insertion order, as in Python; keys are distinct texts
  int depth = 1;
  std::uint64_t weight = 1;

  const Value* Find(std::string_view key) const;
};

// namespace(...): the one value that a template can change. Owned by the rendering, not by values, so that a namespace
// that contains itself is no leak.
struct Namespace {
  std::vector<std::pair<std::string, Value>> attributes;
};

struct Loop {
  std::shared_ptr<const List> items;
  std::size_t index = 0;
};

struct Macro {
  const Statement* definition = nullptr;  // in the program, which outlives every value
};

enum class GlobalFunction { kNamespace, kDict, kRange, kRaiseException, kStrftimeNow };

// Lists and dicts inside one another, and what one may weigh; beyond that a template is refused.
inline constexpr int kValueDepthMax = 100;
inline constexpr std::uint64_t kValueWeightMax = 1U << 22;

// A value of the template language. Cheap to copy: text and containers are shared and immutable.
class Value {
 public:
  Value() : data_(Undefined{}) {}
  explicit Value(Undefined undefined) : data_(std::move(undefined)) {}
  explicit Value(None none) : data_(none) {}
  explicit Value(bool boolean) : data_(boolean) {}
  explicit Value(std::int64_t integer) : data_(integer) {}
  explicit Value(double number) : data_(number) {}
  explicit Value(MarkedText text) : data_(std::make_shared<const MarkedText>(std::move(text))) {}
  explicit Value(Namespace* space) : data_(space) {}
  explicit Value(std::shared_ptr<Loop> loop) : data_(std::move(loop)) {}
  explicit Value(Macro macro) : data_(macro) {}
  explicit Value(GlobalFunction function) : data_(function) {}

  static Value Trusted(std::string_view text) { return Value(MarkedText(text, /*from_user=*/false)); }
  // FailedPrecondition (thrown) when the nesting would pass kValueDepthMax.
  static Value OfList(std::vector<Value> items, bool tuple = false);
  static Value OfDict(std::vector<std::pair<MarkedText, Value>> entries);  // REQUIRES: keys are distinct

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&data_);
  }
  const MarkedText* AsText() const {
    const auto* text = As<std::shared_ptr<const MarkedText>>();
    return text == nullptr ? nullptr : text->get();
  }
  const List* AsList() const {
    const auto* list = As<std::shared_ptr<const List>>();
    return list == nullptr ? nullptr : list->get();
  }
  const std::shared_ptr<const List>* AsSharedList() const { return As<std::shared_ptr<const List>>(); }
  const Dict* AsDict() const {
    const auto* dict = As<std::shared_ptr<const Dict>>();
    return dict == nullptr ? nullptr : dict->get();
  }
  Namespace* AsNamespace() const {
    const auto* space = As<Namespace*>();
    return space == nullptr ? nullptr : *space;
  }
  bool IsUndefined() const { return As<Undefined>() != nullptr; }
  bool IsNone() const { return As<None>() != nullptr; }
  // Integers and, as in Python, booleans; and any number as a double.
  bool IsInteger() const { return As<std::int64_t>() != nullptr || As<bool>() != nullptr; }
  bool IsNumber() const { return IsInteger() || As<double>() != nullptr; }
  std::int64_t Integer() const;  // REQUIRES: IsInteger()
  double Number() const;         // REQUIRES: IsNumber()

  bool Truthy() const;
  std::string_view TypeName() const;  // as Python's: "str", "int", ...

 private:
  std::variant<Undefined, None, bool, std::int64_t, double, std::shared_ptr<const MarkedText>,
               std::shared_ptr<const List>, std::shared_ptr<const Dict>, Namespace*, std::shared_ptr<Loop>, Macro,
               GlobalFunction>
      data_;
};

// What it costs to walk through a value, in steps. A list that holds one other list twice weighs twice as much, though
// it takes no more memory: without this count a few lines could make a value that takes years to print.
std::uint64_t Weight(const Value& value);

// Python's ==: numbers by value, texts by their letters (whoever wrote them), containers by elements, else identity.
bool Equal(const Value& left, const Value& right);
// Python's <; FailedPrecondition (thrown) for types without an order.
bool Less(const Value& left, const Value& right);

}  // namespace chat_template::internal
