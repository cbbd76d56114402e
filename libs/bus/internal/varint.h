#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// Numbers of a commit's metadata: LEB128, at most 63 bits, so that each is an offset or a count.
namespace bus::internal {

inline void AppendVarint(std::uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

// Takes a varint off the front of `bytes`; nullopt when it is cut short or does not fit an offset.
inline std::optional<std::int64_t> TakeVarint(std::string_view* bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes->size() && i < 9; ++i) {  // 9 * 7 bits = 63: never negative
    const auto byte = static_cast<std::uint8_t>((*bytes)[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      bytes->remove_prefix(i + 1);
      return static_cast<std::int64_t>(value);
    }
  }
  return std::nullopt;
}

}  // namespace bus::internal
