#pragma once

#include <cstdint>

namespace kernels {

// See DotRoundsFn. Twelve chains of additions hide the latency of the multiplication; the address of x is hidden from
// the compiler, so that nothing can be computed ahead. A round repeats them eight times, because the compiler moves the
// sums between registers at its end.
inline constexpr int kDotChains = 12, kDotRepeats = 8;
template <class S>
inline constexpr std::int64_t kDotRoundOperations = kDotRepeats* kDotChains* S::kRows * 4 * 2;

// sums[chain] = add(sums[chain], four bytes of x), `rounds` rounds of it.
template <class S, class Sum, class Add>
inline void RunDotRounds(std::int64_t rounds, const std::int8_t* x, Sum* result, const Add& add) {
  Sum sums[kDotChains];
#pragma GCC unroll 16
  for (int chain = 0; chain < kDotChains; ++chain) sums[chain] = result[chain];
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 8
    for (int repeat = 0; repeat < kDotRepeats; ++repeat) {
      const std::int8_t* hidden = x;
      asm volatile("" : "+r"(hidden));
#pragma GCC unroll 16
      for (int chain = 0; chain < kDotChains; ++chain) sums[chain] = add(sums[chain], S::Four(hidden + 4 * chain));
    }
  }
#pragma GCC unroll 16
  for (int chain = 0; chain < kDotChains; ++chain) result[chain] = sums[chain];
}

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
    for (auto& sum : sums) sum = S::ZeroI32();
    RunDotRounds<S>(
        rounds, x,
        sums, [&](auto sum, auto four) __attribute__((always_inline)) { return S::template Dot<true>(sum, w, four); });
    for (const auto& sum : sums) result += S::First(S::ToFloat(sum));
  } else {
    typename S::Words sums[kDotChains];
    for (auto& sum : sums) sum = S::ZeroWords();
    RunDotRounds<S>(
        rounds, x, sums, [&](auto sum, auto four) __attribute__((always_inline)) { return S::AddPairs(sum, w, four); });
    for (const auto& sum : sums) result += S::First(S::ToFloat(S::AddWordProducts(S::ZeroI32(), sum, sum)));
  }
  return static_cast<std::int64_t>(result);
}

}  // namespace kernels
