#include "libs/json/internal/lone_surrogate.h"

#include <charconv>
#include <cstddef>
#include <optional>

namespace json::internal {
namespace {

constexpr std::size_t kEscapeBytes = 6;  // \uXXXX

// The code unit of the \uXXXX escape at `at`.
std::optional<unsigned> CodeUnitAt(std::string_view json, std::size_t at) {
  if (json.size() < at + kEscapeBytes || json[at] != '\\' || json[at + 1] != 'u') return std::nullopt;
  unsigned unit = 0;
  const char* const begin = json.data() + at + 2;
  const auto [end, error] = std::from_chars(begin, begin + 4, unit, 16);
  if (error != std::errc() || end != begin + 4) return std::nullopt;
  return unit;
}

bool IsHigh(std::optional<unsigned> unit) { return unit && *unit >= 0xD800 && *unit <= 0xDBFF; }
bool IsLow(std::optional<unsigned> unit) { return unit && *unit >= 0xDC00 && *unit <= 0xDFFF; }

}  // namespace

bool ReplaceLoneSurrogates(std::string_view json, std::string& repaired) {
  repaired.clear();
  std::size_t copied = 0;
  for (std::size_t at = json.find('\\'); at != std::string_view::npos; at = json.find('\\', at)) {
    const std::optional<unsigned> unit = CodeUnitAt(json, at);
    if (!unit) {
      at += 2;  // another escape; its second character may be a backslash too
    } else if (IsHigh(unit) && IsLow(CodeUnitAt(json, at + kEscapeBytes))) {
      at += 2 * kEscapeBytes;
    } else {
      if (IsHigh(unit) || IsLow(unit)) {
        repaired.append(json.substr(copied, at - copied)).append("\\ufffd");
        copied = at + kEscapeBytes;
      }
      at += kEscapeBytes;
    }
    if (at >= json.size()) break;
  }
  if (copied == 0) return false;
  repaired.append(json.substr(copied));
  return true;
}

}  // namespace json::internal
