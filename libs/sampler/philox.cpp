#include "libs/sampler/philox.h"

namespace sampler {

std::array<std::uint32_t, 4> Philox4x32(std::uint64_t key, std::uint64_t counter) {
  std::array<std::uint32_t, 4> x{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), 0, 0};
  auto key_low = static_cast<std::uint32_t>(key);
  auto key_high = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * x[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * x[2];
    x = {static_cast<std::uint32_t>(b >> 32) ^ x[1] ^ key_low, static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ x[3] ^ key_high, static_cast<std::uint32_t>(a)};
    key_low += 0x9E3779B9;  // Weyl sequence: the golden ratio, and sqrt(3) - 1 below
    key_high += 0xBB67AE85;
  }
  return x;
}

double Uniform(std::uint64_t seed, std::uint64_t draw) {
  const auto bits = Philox4x32(seed, draw);
  const std::uint64_t wide = std::uint64_t{bits[0]} << 32 | bits[1];
  return static_cast<double>(wide >> 11) * 0x1p-53;
}

}  // namespace sampler
