#include "libs/base/utf8.h"

#include <cstdint>

#include "libs/base/check.h"

namespace base {

Utf8Step NextUtf8(std::string_view bytes) {
  CHECK(!bytes.empty());
  const auto lead = static_cast<std::uint8_t>(bytes[0]);
  if (lead < 0x80) return {1, true};
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
    if (i >= bytes.size()) return {i, false};
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    if (byte < (i == 1 ? second_min : 0x80) || byte > (i == 1 ? second_max : 0xBF)) return {i, false};
  }
  return {size, true};
}

bool IsUtf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Step step = NextUtf8(bytes);
    if (!step.well_formed) return false;
    bytes.remove_prefix(step.size);
  }
  return true;
}

}  // namespace base
