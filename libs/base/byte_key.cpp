#include "libs/base/byte_key.h"

#include "libs/base/check.h"

namespace base {

std::string JoinLengthPrefixed(std::initializer_list<std::string_view> parts) {
  std::string joined;
  for (const std::string_view part : parts) {
    CHECK(part.size() <= UINT32_MAX);
    const auto size = static_cast<std::uint32_t>(part.size());
    for (int shift = 24; shift >= 0; shift -= 8) joined.push_back(static_cast<char>((size >> shift) & 0xff));
    joined.append(part);
  }
  return joined;
}

std::optional<std::vector<std::string>> SplitLengthPrefixed(std::string_view bytes, std::size_t parts_max) {
  std::vector<std::string> parts;
  while (!bytes.empty()) {
    if (bytes.size() < 4 || parts.size() == parts_max) return std::nullopt;
    std::uint32_t size = 0;
    for (int i = 0; i < 4; ++i) size = (size << 8) | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
    bytes.remove_prefix(4);
    if (size > bytes.size()) return std::nullopt;
    parts.emplace_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return parts;
}

}  // namespace base
