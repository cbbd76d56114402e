#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace crypto {

using Sha256Digest = std::array<std::uint8_t, 32>;

Sha256Digest Sha256(std::string_view bytes);
// Of a whole file, read in pieces; about 0.1 s for 100 MB. NotFound or PermissionDenied with the path, Internal when a
// read fails.
absl::StatusOr<Sha256Digest> Sha256File(const std::string& path);

Sha256Digest HmacSha256(std::string_view key, std::string_view bytes);

// Compares without leaking where the first difference is. Different sizes compare unequal at once.
bool ConstantTimeEquals(std::string_view a, std::string_view b);

inline std::string_view AsBytes(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace crypto
