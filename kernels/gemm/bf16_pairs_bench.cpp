// Products of BF16 pairs (AVX512-BF16) beside multiply-adds of F32, both in registers and nothing else: which of the
// two a BF16 product should use on this machine (docs/decisions/0005). One thread by its own processor time.
//   build/bin/bf16_pairs_bench
#include <immintrin.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace {

constexpr long kRounds = 2'000'000;
constexpr int kTries = 5;

double ThreadSeconds() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

struct Pairs {
  static constexpr double kOperations = 64;
  static __m512 Step(__m512 sum, __m512i x) { return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)x); }
};
struct Fma {
  static constexpr double kOperations = 32;
  static __m512 Step(__m512 sum, __m512i x) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(x), sum);
  }
};

// The best of some tries, in operations a second. kChains sums hide the latency of one.
template <typename Product, int kChains>
double Rate() {
  double best = 0;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    __m512 sums[kChains];  // all different, or one would do for all
    for (int i = 0; i < kChains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
    __m512i x = _mm512_set1_epi16(0x3f80);
    asm volatile("" : "+v"(x));  // so that nothing is known of it
    const double begin = ThreadSeconds();
    for (long round = 0; round < kRounds; ++round) {
#pragma GCC unroll 32
      for (int i = 0; i < kChains; ++i) {
        sums[i] = Product::Step(sums[i], x);
        asm volatile("" ::"v"(sums[i]));  // nor any step left out
      }
    }
    best = std::max(best, kRounds * kChains * Product::kOperations / (ThreadSeconds() - begin));
  }
  return best;
}

}  // namespace

int main() {
  if (!__builtin_cpu_supports("avx512bf16")) {
    std::fprintf(stderr, "bf16_pairs_bench: this processor has no AVX512-BF16\n");
    return 1;
  }
  const double pairs = std::max(Rate<Pairs, 8>(), Rate<Pairs, 16>()), fma = std::max(Rate<Fma, 8>(), Rate<Fma, 16>());
  std::printf("products of BF16 pairs %.0f GFLOPS, multiply-adds of F32 %.0f GFLOPS: %.2f\n", pairs * 1e-9, fma * 1e-9,
              pairs / fma);
  return 0;
}
