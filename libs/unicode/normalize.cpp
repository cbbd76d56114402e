#include "libs/unicode/normalize.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>

#include "libs/base/check.h"
#include "libs/unicode/category.h"
#include "libs/unicode/utf8.h"

namespace unicode {
namespace {

constexpr std::size_t kPartCodePoints = 64;      // a part ends at the first safe place after this many
constexpr std::size_t kPartCodePointsMax = 256;  // and here in any case

// True when nothing before `code_point` can change it or be changed by it. Only marks and the vowels and finals of
// Hangul are ever the second half of a canonical composition.
bool StartsFreshPart(char32_t code_point) {
  const bool hangul_vowel_or_final = code_point >= 0x1160 && code_point <= 0x11FF;
  return !IsMark(code_point) && !hangul_vowel_or_final;
}

void AppendNfc(std::string_view part, std::string& out) {
  utf8proc_uint8_t* raw = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(part.data()), static_cast<utf8proc_ssize_t>(part.size()),
                   &raw, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(raw, &std::free);
  CHECK_MSG(size >= 0, "valid UTF-8 of a few kilobytes");
  out.append(reinterpret_cast<const char*>(raw), static_cast<std::size_t>(size));
}

}  // namespace

std::string NormalizeNfc(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0x80; })) {
    return std::string(text);
  }
  std::string out;
  out.reserve(text.size());
  std::size_t part_start = 0;
  std::size_t part_code_points = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Decoded decoded = DecodeUtf8(text, at);
    if (part_code_points >= kPartCodePointsMax ||
        (part_code_points >= kPartCodePoints && StartsFreshPart(decoded.code_point))) {
      AppendNfc(text.substr(part_start, at - part_start), out);
      part_start = at;
      part_code_points = 0;
    }
    at += decoded.length;
    ++part_code_points;
  }
  AppendNfc(text.substr(part_start), out);
  return out;
}

}  // namespace unicode
