#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

#include "libs/chat_template/internal/runtime.h"
#include "libs/chat_template/internal/value.h"

namespace chat_template::internal {

// The operators of expressions, with Python's meaning. All throw TemplateError (FailedPrecondition) for operands that
// the operator has no meaning for.

// One of + - * / // % **.
Value Calculate(Runtime& runtime, std::string_view op, const Value& left, const Value& right);
Value Negate(const Value& value);

// One of == != < <= > >= in "not in".
bool Compare(Runtime& runtime, std::string_view op, const Value& left, const Value& right);
bool Contains(Runtime& runtime, const Value& container, const Value& item);

// container.name; undefined when there is none. `container` itself must not be undefined.
Value GetAttribute(Runtime& runtime, const Value& container, std::string_view name);
// container[key]; undefined when the index or key is not there.
Value GetItem(Runtime& runtime, const Value& container, const Value& key);
// container[start:stop:step]; null parts are left out in the template.
Value GetSlice(Runtime& runtime, const Value& container, const Value* start, const Value* stop, const Value* step);

// The elements that a loop goes through. Owns them, so that `for (const Value& item : Iterate(...))` is safe; a bare
// pointer to a list there would be gone before the first round.
class Items {
 public:
  explicit Items(std::shared_ptr<const List> list) : list_(std::move(list)) {}

  auto begin() const { return list_->items.begin(); }
  auto end() const { return list_->items.end(); }
  std::size_t size() const { return list_->items.size(); }
  const Value& operator[](std::size_t index) const { return list_->items[index]; }
  const std::shared_ptr<const List>& list() const { return list_; }

 private:
  std::shared_ptr<const List> list_;
};

// What a loop over `value` goes through: elements, keys, code points; nothing for undefined.
Items Iterate(Runtime& runtime, const Value& value);

// Length as Python's len(): code points of a text.
std::int64_t Length(Runtime& runtime, const Value& value);

}  // namespace chat_template::internal
