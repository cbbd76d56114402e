#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace base {

// A value with a meaning: ids of different tags cannot be mixed up, compared or passed for one another.
//   using TurnId = base::StrongId<struct TurnIdTag, std::string>;
template <typename Tag, typename T>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(T value) : value_(std::move(value)) {}

  const T& value() const { return value_; }

  friend bool operator==(const StrongId&, const StrongId&) = default;
  friend auto operator<=>(const StrongId&, const StrongId&) = default;

  template <typename H>
  friend H AbslHashValue(H state, const StrongId& id) {
    return H::combine(std::move(state), id.value_);
  }

 private:
  T value_{};
};

}  // namespace base

template <typename Tag, typename T>
struct std::hash<base::StrongId<Tag, T>> {
  std::size_t operator()(const base::StrongId<Tag, T>& id) const { return std::hash<T>{}(id.value()); }
};
