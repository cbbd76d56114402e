#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kvcache {

// SipHash-2-4 (Aumasson and Bernstein 2012): a hash whose collisions can't be prepared by who does not know the key.
struct SipKey {
  std::uint64_t k0 = 0, k1 = 0;
};
std::uint64_t SipHash(const SipKey& key, std::span<const std::byte> bytes);

}  // namespace kvcache
