#include "libs/telemetry/internal/json_line.h"

#include <cstdint>

namespace telemetry::internal {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

struct Sequence {
  std::size_t size;  // bytes taken, at least 1
  bool well_formed;
};

// The character at the front of `text` (not empty, first byte >= 0x80), or its longest prefix that could have begun one.
Sequence NextMultiByte(std::string_view text) {
  const auto lead = static_cast<std::uint8_t>(text[0]);
  std::size_t size = 0;
  std::uint8_t second_min = 0x80;  // overlong forms, surrogates and values above U+10FFFF show in the second byte
  std::uint8_t second_max = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) second_min = 0xA0;
    if (lead == 0xED) second_max = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) second_min = 0x90;
    if (lead == 0xF4) second_max = 0x8F;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < size; ++i) {
    const std::uint8_t low = i == 1 ? second_min : std::uint8_t{0x80};
    const std::uint8_t high = i == 1 ? second_max : std::uint8_t{0xBF};
    if (i >= text.size()) return {i, false};
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if (byte < low || byte > high) return {i, false};
  }
  return {size, true};
}

void AppendAscii(std::string& out, char c) {
  static constexpr char kDigits[] = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  const auto byte = static_cast<std::uint8_t>(c);
  if (byte < 0x20 || byte == 0x7f) {  // DEL is legal in JSON, but a terminal acts on it
    out += "\\u00";
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  } else {
    out.push_back(c);
  }
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text, std::size_t bytes_max) {
  out.push_back('"');
  std::size_t taken = 0;
  while (taken < text.size()) {
    const bool is_ascii = static_cast<std::uint8_t>(text[taken]) < 0x80;
    const Sequence next = is_ascii ? Sequence{1, true} : NextMultiByte(text.substr(taken));
    if (taken + next.size > bytes_max) {
      out += kEllipsis;
      break;
    }
    if (is_ascii) {
      AppendAscii(out, text[taken]);
    } else {
      out += next.well_formed ? text.substr(taken, next.size) : kReplacement;
    }
    taken += next.size;
  }
  out.push_back('"');
}

}  // namespace telemetry::internal
