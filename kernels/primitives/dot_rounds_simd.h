#pragma once

#include <cstdint>

namespace kernels {

// See DotRoundsFn. Twelve chains of additions hide the latency of the multiplication; the operands change with the
// round, so that nothing can be computed ahead.
inline constexpr int kDotChains = 12;
template <class S>
inline constexpr std::int64_t kDotRoundOperations = kDotChains* S::kRows * 4 * 2;

template <class S>
inline std::int64_t DotRounds(std::int64_t rounds) {
  alignas(64) std::uint8_t weights[64];
  alignas(64) std::int8_t x[kDotChains * 4];
  for (int i = 0; i < 64; ++i) weights[i] = static_cast<std::uint8_t>(i & 0xF);
  for (int i = 0; i < kDotChains * 4; ++i) x[i] = static_cast<std::int8_t>(i - 16);
  const typename S::Bytes w = S::LowNibbles(S::LoadNibbles(weights));
  float result = 0.0F;
  if constexpr (S::kDotsOfFour) {
    typename S::I32 sums[kDotChains];
    _Pragma("GCC unroll 16") for (auto& sum : sums) sum = S::ZeroI32();
    for (std::int64_t round = 0; round < rounds; ++round) {
      asm volatile("" ::: "memory");  // x may have changed: it is read again
      _Pragma("GCC unroll 16") for (int chain = 0; chain < kDotChains; ++chain) {
        sums[chain] = S::template Dot<true>(sums[chain], w, S::Four(x + 4 * chain));
      }
    }
    _Pragma("GCC unroll 16") for (const auto& sum : sums) result += S::First(S::ToFloat(sum));
  } else {
    typename S::Words sums[kDotChains];
    _Pragma("GCC unroll 16") for (auto& sum : sums) sum = S::ZeroWords();
    for (std::int64_t round = 0; round < rounds; ++round) {
      asm volatile("" ::: "memory");
      _Pragma("GCC unroll 16") for (int chain = 0; chain < kDotChains; ++chain) sums[chain] =
          S::AddPairs(sums[chain], w, S::Four(x + 4 * chain));
    }
    _Pragma("GCC unroll 16") for (const auto& sum : sums) result +=
        S::First(S::ToFloat(S::AddWordProducts(S::ZeroI32(), sum, sum)));
  }
  return static_cast<std::int64_t>(result);
}

}  // namespace kernels
