#include "libs/telemetry/internal/json_line.h"

#include <cstdint>

#include "libs/base/utf8.h"

namespace telemetry::internal {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

void AppendAscii(std::string& out, char c) {
  static constexpr char kDigits[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
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
    const base::Utf8Step next = base::NextUtf8(text.substr(taken));
    if (taken + next.size > bytes_max) {
      out += kEllipsis;
      break;
    }
    if (next.well_formed && next.size == 1) {
      AppendAscii(out, text[taken]);
    } else {
      out += next.well_formed ? text.substr(taken, next.size) : kReplacement;
    }
    taken += next.size;
  }
  out.push_back('"');
}

}  // namespace telemetry::internal
