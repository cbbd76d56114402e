#include "libs/chat_template/internal/operators.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/chat_template/internal/error.h"
#include "libs/chat_template/internal/text_operations.h"
#include "libs/unicode/utf8.h"

namespace chat_template::internal {
namespace {

[[noreturn]] void FailOperands(std::string_view op, const Value& left, const Value& right) {
  FailOperation(base::StrCat("no meaning of ", left.TypeName(), " ", op, " ", right.TypeName()));
}

[[noreturn]] void FailOverflow() { FailOperation("an integer beyond 64 bits"); }

// Rounded toward minus infinity, as Python's // and %.
std::int64_t FloorDivide(std::int64_t left, std::int64_t right) {
  if (right == 0) FailOperation("division by zero");
  std::int64_t negated = 0;
  if (right == -1) {
    if (__builtin_sub_overflow(std::int64_t{0}, left, &negated)) FailOverflow();
    return negated;
  }
  const std::int64_t quotient = left / right;
  return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

Value CalculateIntegers(std::string_view op, std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  bool overflow = false;
  if (op == "+") {
    overflow = __builtin_add_overflow(left, right, &result);
  } else if (op == "-") {
    overflow = __builtin_sub_overflow(left, right, &result);
  } else if (op == "*") {
    overflow = __builtin_mul_overflow(left, right, &result);
  } else if (op == "//") {
    result = FloorDivide(left, right);
  } else if (op == "%") {
    if (right == 0) FailOperation("division by zero");
    result = right == -1 ? 0 : left - FloorDivide(left, right) * right;
  } else if (op == "/") {
    if (right == 0) FailOperation("division by zero");
    return Value(static_cast<double>(left) / static_cast<double>(right));
  } else {
    if (right < 0) return Value(std::pow(static_cast<double>(left), static_cast<double>(right)));
    result = 1;
    // At most 63 rounds before an overflow ends it, unless the base is 0, 1 or -1, where parity decides.
    if (left == 0 || left == 1) return Value(right == 0 ? std::int64_t{1} : left);
    if (left == -1) return Value(right % 2 == 0 ? std::int64_t{1} : std::int64_t{-1});
    for (std::int64_t i = 0; i < right && !overflow; ++i) overflow = __builtin_mul_overflow(result, left, &result);
  }
  if (overflow) FailOverflow();
  return Value(result);
}

Value CalculateFloats(std::string_view op, double left, double right) {
  if (op == "+") return Value(left + right);
  if (op == "-") return Value(left - right);
  if (op == "*") return Value(left * right);
  if (op == "**") return Value(std::pow(left, right));
  if (right == 0.0) FailOperation("division by zero");
  if (op == "/") return Value(left / right);
  if (op == "//") return Value(std::floor(left / right));
  return Value(left - right * std::floor(left / right));
}

Value AddLists(Runtime& runtime, const List& left, const List& right) {
  runtime.Step(left.items.size() + right.items.size());
  std::vector<Value> items = left.items;
  items.insert(items.end(), right.items.begin(), right.items.end());
  return Value::OfList(std::move(items), left.tuple);
}

Value RepeatList(Runtime& runtime, const List& list, std::int64_t times) {
  std::vector<Value> items;
  for (std::int64_t i = 0; i < times && !list.items.empty(); ++i) {
    runtime.Step(list.items.size());
    items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return Value::OfList(std::move(items), list.tuple);
}

// Start, stop and step of a slice brought into bounds as CPython's PySlice_AdjustIndices does.
struct SliceBounds {
  std::int64_t start = 0;
  std::int64_t step = 1;
  std::int64_t count = 0;
};

std::optional<std::int64_t> SlicePart(const Value* part) {
  if (part == nullptr || part->IsNone()) return std::nullopt;
  if (!part->IsInteger()) FailOperation(base::StrCat("a slice index is ", part->TypeName(), ", not int"));
  return part->Integer();
}

SliceBounds AdjustSlice(std::int64_t length, const Value* start, const Value* stop, const Value* step) {
  SliceBounds bounds;
  bounds.step = SlicePart(step).value_or(1);
  if (bounds.step == 0) FailOperation("a slice step of zero");
  // A step beyond the length takes one element whatever its size; cutting it keeps the arithmetic below from
  // overflowing.
  bounds.step = std::clamp(bounds.step, -length - 1, length + 1);
  const bool forward = bounds.step > 0;
  const auto adjust = [&](std::optional<std::int64_t> part, std::int64_t otherwise) {
    if (!part.has_value()) return otherwise;
    if (*part < 0) return *part < -length ? (forward ? std::int64_t{0} : std::int64_t{-1}) : *part + length;
    return *part >= length ? (forward ? length : length - 1) : *part;
  };
  bounds.start = adjust(SlicePart(start), forward ? 0 : length - 1);
  const std::int64_t end = adjust(SlicePart(stop), forward ? length : -1);
  const std::int64_t span = forward ? end - bounds.start : bounds.start - end;
  const std::int64_t stride = forward ? bounds.step : -bounds.step;
  bounds.count = span <= 0 ? 0 : (span - 1) / stride + 1;
  return bounds;
}

// Byte offset of each code point, and the size at the end.
std::vector<std::size_t> CodePointOffsets(Runtime& runtime, const MarkedText& text) {
  runtime.Copy(text.size() * sizeof(std::size_t));
  std::vector<std::size_t> offsets;
  for (std::size_t at = 0; at < text.size(); at += unicode::DecodeUtf8(text.text(), at).length) offsets.push_back(at);
  offsets.push_back(text.size());
  return offsets;
}

Value SliceText(Runtime& runtime, const MarkedText& text, const Value* start, const Value* stop, const Value* step) {
  const std::vector<std::size_t> offsets = CodePointOffsets(runtime, text);
  const SliceBounds bounds = AdjustSlice(static_cast<std::int64_t>(offsets.size()) - 1, start, stop, step);
  const auto offset_at = [&](std::int64_t index) { return offsets[static_cast<std::size_t>(index)]; };
  runtime.Copy(text.size());
  if (bounds.count == 0) return Value(MarkedText());
  if (bounds.step == 1) return Value(text.Slice(offset_at(bounds.start), offset_at(bounds.start + bounds.count)));
  MarkedText slice;
  for (std::int64_t i = 0; i < bounds.count; ++i) {
    const std::int64_t index = bounds.start + i * bounds.step;
    slice.Append(text, offset_at(index), offset_at(index + 1));
  }
  return Value(std::move(slice));
}

std::optional<std::size_t> ListIndex(std::int64_t index, std::size_t size) {
  const auto length = static_cast<std::int64_t>(size);
  if (index < -length || index >= length) return std::nullopt;
  return static_cast<std::size_t>(index < 0 ? index + length : index);
}

Value LoopAttribute(const Loop& loop, std::string_view name) {
  const auto index = static_cast<std::int64_t>(loop.index);
  const auto length = static_cast<std::int64_t>(loop.items->items.size());
  if (name == "index") return Value(index + 1);
  if (name == "index0") return Value(index);
  if (name == "revindex") return Value(length - index);
  if (name == "revindex0") return Value(length - index - 1);
  if (name == "first") return Value(index == 0);
  if (name == "last") return Value(index + 1 == length);
  if (name == "length") return Value(length);
  if (name == "previtem" && index > 0) return loop.items->items[loop.index - 1];
  if (name == "nextitem" && index + 1 < length) return loop.items->items[loop.index + 1];
  return Value(Undefined{std::string(name)});
}

}  // namespace

Value Calculate(Runtime& runtime, std::string_view op, const Value& left, const Value& right) {
  if (left.IsInteger() && right.IsInteger()) return CalculateIntegers(op, left.Integer(), right.Integer());
  if (left.IsNumber() && right.IsNumber()) return CalculateFloats(op, left.Number(), right.Number());
  if (op == "+" && left.AsText() != nullptr && right.AsText() != nullptr) {
    runtime.Copy(left.AsText()->size() + right.AsText()->size());
    MarkedText sum = *left.AsText();
    sum.Append(*right.AsText());
    return Value(std::move(sum));
  }
  if (op == "+" && left.AsList() != nullptr && right.AsList() != nullptr) {
    return AddLists(runtime, *left.AsList(), *right.AsList());
  }
  if (op == "*" && right.IsInteger() && left.AsText() != nullptr) {
    return Value(Repeat(runtime, *left.AsText(), right.Integer()));
  }
  if (op == "*" && right.IsInteger() && left.AsList() != nullptr) {
    return RepeatList(runtime, *left.AsList(), right.Integer());
  }
  if (left.IsUndefined() || right.IsUndefined()) {
    const Undefined& missing = left.IsUndefined() ? *left.As<Undefined>() : *right.As<Undefined>();
    FailOperation(base::StrCat("\"", missing.name, "\" is undefined"));
  }
  FailOperands(op, left, right);
}

Value Negate(const Value& value) {
  if (value.IsInteger()) return CalculateIntegers("-", 0, value.Integer());
  if (value.IsNumber()) return Value(-value.Number());
  FailOperation(base::StrCat("no meaning of -", value.TypeName()));
}

bool Compare(Runtime& runtime, std::string_view op, const Value& left, const Value& right) {
  if (op == "in") return Contains(runtime, right, left);
  if (op == "not in") return !Contains(runtime, right, left);
  runtime.Step(std::min(Weight(left), Weight(right)));
  if (op == "==") return Equal(left, right);
  if (op == "!=") return !Equal(left, right);
  if (op == "<") return Less(left, right);
  if (op == ">") return Less(right, left);
  if (op == "<=") return Less(left, right) || Equal(left, right);
  return Less(right, left) || Equal(left, right);
}

bool Contains(Runtime& runtime, const Value& container, const Value& item) {
  runtime.Step(Weight(container));
  if (const MarkedText* text = container.AsText(); text != nullptr) {
    if (item.AsText() == nullptr) FailOperands("in", item, container);
    return text->text().find(item.AsText()->text()) != std::string::npos;
  }
  if (const List* list = container.AsList(); list != nullptr) {
    for (const Value& element : list->items) {
      if (Equal(element, item)) return true;
    }
    return false;
  }
  if (const Dict* dict = container.AsDict(); dict != nullptr) {
    return item.AsText() != nullptr && dict->Find(item.AsText()->text()) != nullptr;
  }
  if (container.IsUndefined()) return false;
  FailOperands("in", item, container);
}

Value GetAttribute(Runtime& runtime, const Value& container, std::string_view name) {
  if (const Undefined* missing = container.As<Undefined>(); missing != nullptr) {
    FailOperation(base::StrCat("\"", missing->name, "\" is undefined"));
  }
  constexpr std::size_t kNamesPerStep = 16;
  if (const Dict* dict = container.AsDict(); dict != nullptr) {
    runtime.Step(dict->entries.size() / kNamesPerStep);
    const Value* found = dict->Find(name);
    return found == nullptr ? Value(Undefined{std::string(name)}) : *found;
  }
  if (const Namespace* space = container.AsNamespace(); space != nullptr) {
    runtime.Step(space->attributes.size() / kNamesPerStep);
    for (const auto& [attribute, value] : space->attributes) {
      if (attribute == name) return value;
    }
  }
  if (const auto* loop = container.As<std::shared_ptr<Loop>>(); loop != nullptr) return LoopAttribute(**loop, name);
  return Value(Undefined{std::string(name)});
}

Value GetItem(Runtime& runtime, const Value& container, const Value& key) {
  if (const MarkedText* name = key.AsText(); name != nullptr) {
    Value found = GetAttribute(runtime, container, name->text());
    // A key may be a user's word, which no message should repeat.
    return found.IsUndefined() ? Value(Undefined{"a key"}) : found;
  }
  if (const Undefined* missing = container.As<Undefined>(); missing != nullptr) {
    FailOperation(base::StrCat("\"", missing->name, "\" is undefined"));
  }
  if (!key.IsInteger()) return Value(Undefined{"an item"});
  if (const List* list = container.AsList(); list != nullptr) {
    const auto index = ListIndex(key.Integer(), list->items.size());
    return index.has_value() ? list->items[*index] : Value(Undefined{"an item"});
  }
  if (const MarkedText* text = container.AsText(); text != nullptr) {
    const std::vector<std::size_t> offsets = CodePointOffsets(runtime, *text);
    const auto index = ListIndex(key.Integer(), offsets.size() - 1);
    if (!index.has_value()) return Value(Undefined{"an item"});
    return Value(text->Slice(offsets[*index], offsets[*index + 1]));
  }
  return Value(Undefined{"an item"});
}

Value GetSlice(Runtime& runtime, const Value& container, const Value* start, const Value* stop, const Value* step) {
  if (const MarkedText* text = container.AsText(); text != nullptr) return SliceText(runtime, *text, start, stop, step);
  const List* list = container.AsList();
  if (list == nullptr) FailOperation(base::StrCat("no slices of ", container.TypeName()));
  const SliceBounds bounds = AdjustSlice(static_cast<std::int64_t>(list->items.size()), start, stop, step);
  runtime.Step(static_cast<std::uint64_t>(bounds.count));
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(bounds.count));
  for (std::int64_t i = 0; i < bounds.count; ++i) {
    items.push_back(list->items[static_cast<std::size_t>(bounds.start + i * bounds.step)]);
  }
  return Value::OfList(std::move(items), list->tuple);
}

Items Iterate(Runtime& runtime, const Value& value) {
  if (const auto* list = value.AsSharedList(); list != nullptr) return Items(*list);
  std::vector<Value> items;
  if (const MarkedText* text = value.AsText(); text != nullptr) {
    items = Characters(runtime, *text);
  } else if (const Dict* dict = value.AsDict(); dict != nullptr) {
    for (const auto& [key, item] : dict->entries) {
      runtime.Step();
      items.emplace_back(key);
    }
  } else if (!value.IsUndefined()) {
    FailOperation(base::StrCat(value.TypeName(), " cannot be iterated"));
  }
  return Items(*Value::OfList(std::move(items)).AsSharedList());
}

std::int64_t Length(Runtime& runtime, const Value& value) {
  if (value.IsUndefined()) return 0;
  if (const List* list = value.AsList(); list != nullptr) return static_cast<std::int64_t>(list->items.size());
  if (const Dict* dict = value.AsDict(); dict != nullptr) return static_cast<std::int64_t>(dict->entries.size());
  const MarkedText* text = value.AsText();
  if (text == nullptr) FailOperation(base::StrCat(value.TypeName(), " has no length"));
  runtime.Step(Weight(value));
  return static_cast<std::int64_t>(unicode::CodePointCount(text->text()));
}

}  // namespace chat_template::internal
