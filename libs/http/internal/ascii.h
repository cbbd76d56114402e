#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace http::internal {

// ASCII without locale. Abseil's functions are not used: Debian builds it with a string_view of its own.
inline char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

inline bool IsAlphanumeric(char c) { return (c >= '0' && c <= '9') || (ToLower(c) >= 'a' && ToLower(c) <= 'z'); }

inline std::string ToLower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = ToLower(c);
  return lower;
}

inline bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return ToLower(x) == ToLower(y); });
}

inline bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

}  // namespace http::internal
