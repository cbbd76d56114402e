#include <immintrin.h>

#include "kernels/primitives/cpu_kernels_targets.h"
#include "kernels/primitives/kernels_of_target.h"

namespace kernels {
namespace {

struct Avx2 {
  using F32 = __m256;
  struct Pair {
    F32 first, second;
  };
  static constexpr int kLanes = 8;
  static constexpr int kGemmRows = 3;         // 3 x 4 accumulators, 1 weight and 3 activations of 16 registers
  static constexpr int kFewRowsTogether = 1;  // 1 x 8 accumulators

  static F32 Zero() { return _mm256_setzero_ps(); }
  static F32 Set1(float v) { return _mm256_set1_ps(v); }
  static F32 Load(const float* p) { return _mm256_loadu_ps(p); }
  static F32 LoadPartial(const float* p, int count) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane));
  }
  static void Store(float* p, F32 v) { _mm256_storeu_ps(p, v); }
  static F32 Add(F32 a, F32 b) { return _mm256_add_ps(a, b); }
  static F32 Sub(F32 a, F32 b) { return _mm256_sub_ps(a, b); }
  static F32 Mul(F32 a, F32 b) { return _mm256_mul_ps(a, b); }
  static F32 Div(F32 a, F32 b) { return _mm256_div_ps(a, b); }
  static F32 Max(F32 a, F32 b) { return _mm256_max_ps(a, b); }
  static F32 Min(F32 a, F32 b) { return _mm256_min_ps(a, b); }
  static F32 Fma(F32 a, F32 b, F32 c) { return _mm256_fmadd_ps(a, b, c); }
  static F32 Round(F32 v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static F32 Pow2(F32 n) {  // builds the exponent field
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  }
  static F32 SwapPairs(F32 v) { return _mm256_permute_ps(v, 0xB1); }
  static float First(F32 v) { return _mm256_cvtss_f32(v); }
  static float ReduceSum(F32 v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
  }
  static float ReduceMax(F32 v) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
  }
  static void ReduceSum4(F32 a, F32 b, F32 c, F32 d, float* out) {
    const F32 abcd = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1)));
  }

  static F32 LoadF16(const std::uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void StoreF16(std::uint16_t* p, F32 v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static F32 LoadBF16(const std::uint16_t* p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  }
  static F32 LoadI8(const std::uint8_t* p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(Load8(p))); }
  // The F16 number at p in every lane; and the two at p and p + 2.
  static F32 Set1Half(const std::uint8_t* p) {
    std::int16_t bits;
    __builtin_memcpy(&bits, p, sizeof(bits));
    return _mm256_cvtph_ps(_mm_set1_epi16(bits));
  }
  static Pair Set1HalfPair(const std::uint8_t* p) {
    std::int32_t bits;
    __builtin_memcpy(&bits, p, sizeof(bits));
    const F32 both = _mm256_cvtph_ps(_mm_set1_epi32(bits));
    return {_mm256_moveldup_ps(both), _mm256_movehdup_ps(both)};
  }
  // out[i] = scale * low nibble i + offset, out[i + 16] the same of the high ones.
  static void WidenNibbles(const std::uint8_t* nibbles, F32 scale, F32 offset, float* out) {
    const __m128i mask = _mm_set1_epi8(0x0f);
    for (int i = 0; i < 16; i += kLanes) {
      const __m128i bytes = Load8(nibbles + i);
      const __m128i low = _mm_and_si128(bytes, mask), high = _mm_and_si128(_mm_srli_epi16(bytes, 4), mask);
      Store(out + i, Fma(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(low)), scale, offset));
      Store(out + i + 16, Fma(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(high)), scale, offset));
    }
  }

 private:
  static __m128i Load8(const std::uint8_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); }
};

}  // namespace

const CpuKernels kAvx2Kernels = KernelsOfTarget<Avx2>("avx2");

}  // namespace kernels
