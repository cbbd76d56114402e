#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace crypto {

using Sha256Digest = std::array<std::uint8_t, 32>;

Sha256Digest Sha256(std::string_view bytes);
Sha256Digest HmacSha256(std::string_view key, std::string_view bytes);

// Compares without leaking where the first difference is. Different sizes compare unequal at once.
bool ConstantTimeEquals(std::string_view a, std::string_view b);

inline std::string_view AsBytes(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace crypto
