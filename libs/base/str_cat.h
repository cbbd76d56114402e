#pragma once

#include <charconv>
#include <concepts>
#include <string>
#include <string_view>

namespace base {

// StrCat("tensor ", name, " has ", count, " dimensions"): the parts joined to one string, integers in decimal.
// Why not absl::StrCat: Debian builds Abseil with a string_view of its own, which does not take std::string_view.
namespace str_cat_internal {

inline void Append(std::string& out, const char* part) { out.append(part); }

// std::string, std::string_view and Abseil's view, which absl::Status::message() returns.
template <typename Text>
requires requires(const Text& text) { std::string_view(text.data(), text.size()); }
void Append(std::string& out, const Text& part) { out.append(part.data(), part.size()); }

template <std::integral T>
requires(!std::same_as<T, bool> && !std::same_as<T, char>) void Append(std::string& out, T number) {
  char digits[24];  // 20 digits of the longest 64-bit number and a sign
  const std::to_chars_result result = std::to_chars(digits, digits + sizeof(digits), number);
  out.append(digits, result.ptr);
}

}  // namespace str_cat_internal

template <typename... Parts>
std::string StrCat(const Parts&... parts) {
  std::string out;
  (str_cat_internal::Append(out, parts), ...);
  return out;
}

}  // namespace base
