#pragma once

#include <immintrin.h>

#include <cstdint>

namespace kernels {
namespace {  // compiled with different flags in different files, so each has its own

// Sixteen lanes. With VNNI (Cascade Lake, 2019) four products of bytes and their sum are one instruction.
struct Avx512 {
  using F32 = __m512;
  using I32 = __m512i;
  using Bytes = __m512i;
  using Words = __m512i;  // of 16 bits
  struct Pair {
    F32 first, second;
  };
  static constexpr int kLanes = 16;
  static constexpr int kGemmRows = 6;         // 6 x 4 accumulators, 4 weights and 1 activation of 32 registers
  static constexpr int kFewRowsTogether = 2;  // 2 x 8 accumulators
  static constexpr std::int64_t kRows = 16;   // of a panel of packed weights: all of it
#if defined(__AVX512VNNI__)
  static constexpr bool kDotsOfFour = true;  // four products of bytes and their sum are one instruction
#else
  static constexpr bool kDotsOfFour = false;
#endif

  static F32 Zero() { return _mm512_setzero_ps(); }
  static F32 Set1(float v) { return _mm512_set1_ps(v); }
  static F32 Load(const float* p) { return _mm512_loadu_ps(p); }
  static F32 LoadPartial(const float* p, int count) {
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), p);
  }
  static void Store(float* p, F32 v) { _mm512_storeu_ps(p, v); }
  static F32 Add(F32 a, F32 b) { return _mm512_add_ps(a, b); }
  static F32 Sub(F32 a, F32 b) { return _mm512_sub_ps(a, b); }
  static F32 Mul(F32 a, F32 b) { return _mm512_mul_ps(a, b); }
  static F32 Div(F32 a, F32 b) { return _mm512_div_ps(a, b); }
  static F32 Max(F32 a, F32 b) { return _mm512_max_ps(a, b); }
  static F32 Min(F32 a, F32 b) { return _mm512_min_ps(a, b); }
  static F32 Fma(F32 a, F32 b, F32 c) { return _mm512_fmadd_ps(a, b, c); }
  static F32 Round(F32 v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static F32 Pow2(F32 n) { return _mm512_scalef_ps(_mm512_set1_ps(1.0F), n); }
  static F32 SwapPairs(F32 v) { return _mm512_permute_ps(v, 0xB1); }
  static float First(F32 v) { return _mm512_cvtss_f32(v); }
  static float ReduceSum(F32 v) { return _mm512_reduce_add_ps(v); }
  static float ReduceMax(F32 v) { return _mm512_reduce_max_ps(v); }

  // Sums of four vectors by three rounds of pairwise interleaving instead of four full reductions.
  static void ReduceSum4(F32 a, F32 b, F32 c, F32 d, float* out) {
    const F32 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const F32 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const __m512d ab_d = _mm512_castps_pd(ab), cd_d = _mm512_castps_pd(cd);
    const F32 abcd = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(ab_d, cd_d)),
                                   _mm512_castpd_ps(_mm512_unpackhi_pd(ab_d, cd_d)));
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps(abcd, 1));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
  }

  static F32 LoadF16(const std::uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void StoreF16(std::uint16_t* p, F32 v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static F32 LoadBF16(const std::uint16_t* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  }
  static F32 LoadI8(const std::uint8_t* p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(Load16(p))); }
  // The F16 number at p in every lane; and the two at p and p + 2.
  static F32 Set1Half(const std::uint8_t* p) {
    std::int16_t bits;
    __builtin_memcpy(&bits, p, sizeof(bits));
    return _mm512_cvtph_ps(_mm256_set1_epi16(bits));
  }
  static Pair Set1HalfPair(const std::uint8_t* p) {
    std::int32_t bits;
    __builtin_memcpy(&bits, p, sizeof(bits));
    const F32 both = _mm512_cvtph_ps(_mm256_set1_epi32(bits));
    return {_mm512_moveldup_ps(both), _mm512_movehdup_ps(both)};
  }
  // out[i] = scale * low nibble i + offset, out[i + 16] the same of the high ones. The 16 values that a nibble can take
  // fit one register, so that a permutation looks them up: no masking, no conversion.
  static void WidenNibbles(const std::uint8_t* nibbles, F32 scale, F32 offset, float* out) {
    const F32 table = Fma(_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), scale, offset);
    const __m512i bytes = _mm512_cvtepu8_epi32(Load16(nibbles));
    Store(out, _mm512_permutexvar_ps(bytes, table));  // looks at the low four bits alone
    Store(out + 16, _mm512_permutexvar_ps(_mm512_srli_epi32(bytes, 4), table));
  }

  // Sixteen pairs of BF16 numbers at p, aligned: the first of each, and the second.
  static constexpr int kBf16Rows = 8;
  static Pair WidenBf16Pairs(const std::uint16_t* p) {
    const __m512i pairs = _mm512_load_si512(p);
    return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
            _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U))))};
  }

  // Packed weights (quant/packed_weights.h) and rounded activations; addresses are aligned.
  static Bytes LoadBytes(const std::uint8_t* p) { return _mm512_load_si512(p); }
  static Bytes LoadNibbles(const std::uint8_t* p) { return _mm512_load_si512(p); }
  static Bytes LowNibbles(Bytes v) { return _mm512_and_si512(v, _mm512_set1_epi8(0xF)); }
  static Bytes HighNibbles(Bytes v) { return _mm512_and_si512(_mm512_srli_epi16(v, 4), _mm512_set1_epi8(0xF)); }
  static F32 LoadFloats(const std::uint8_t* p) { return _mm512_load_ps(p); }
  // Sixteen words into the low halves of the lanes, zeros into the high ones; and two words for each lane.
  static Words LoadWords(const std::uint8_t* p) {
    return _mm512_cvtepu16_epi32(_mm256_load_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static Words LoadWordPairs(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
  static Words BothHalves(Words low) { return _mm512_or_si512(low, _mm512_slli_epi32(low, 16)); }
  static Words AsWords(I32 v) { return v; }
  static Words ZeroWords() { return _mm512_setzero_si512(); }
  // The two words at p, and the number at p, in every lane.
  static Words TwoWords(const std::int16_t* p) {
    std::int32_t two;
    __builtin_memcpy(&two, p, sizeof(two));
    return _mm512_set1_epi32(two);
  }
  static I32 Set1I32(const std::int32_t* p) { return _mm512_set1_epi32(*p); }
  static I32 ZeroI32() { return _mm512_setzero_si512(); }
  static I32 LoadI32(const std::int32_t* p) { return _mm512_load_si512(p); }
  static void StoreI32(std::int32_t* p, I32 v) { _mm512_store_si512(p, v); }
  // Four bytes of x in every lane, to be multiplied with four bytes of every row.
  static Bytes Four(const std::int8_t* x) {
    std::int32_t four;
    __builtin_memcpy(&four, x, sizeof(four));
    return _mm512_set1_epi32(four);
  }
  // sum += the four products of each row.
  template <bool k4Bits>
  static I32 Dot(I32 sum, Bytes w, Bytes x4) {
#if defined(__AVX512VNNI__)
    return _mm512_dpbusd_epi32(sum, w, x4);
#else
    const __m512i ones = _mm512_set1_epi16(1);
    if constexpr (k4Bits) {
      return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(w, x4), ones));
    } else {  // two products of full bytes would saturate 16 bits: the top bit is multiplied apart
      const __m512i low = _mm512_and_si512(w, _mm512_set1_epi8(0x7F)),
                    top = _mm512_andnot_si512(_mm512_set1_epi8(0x7F), w);
      sum = _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(low, x4), ones));
      return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(top, x4), ones));
    }
#endif
  }
  // sum += the products of neighbouring 4-bit weights, added two by two; eight such sums fit a word.
  static Words AddPairs(Words sum, Bytes w, Bytes x4) { return _mm512_add_epi16(sum, _mm512_maddubs_epi16(w, x4)); }
  // sum += the products of a lane's two words.
  static I32 AddWordProducts(I32 sum, Words a, Words b) {
#if defined(__AVX512VNNI__)
    return _mm512_dpwssd_epi32(sum, a, b);
#else
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
#endif
  }
  static I32 Add(I32 a, I32 b) { return _mm512_add_epi32(a, b); }
  static I32 Sub(I32 a, I32 b) { return _mm512_sub_epi32(a, b); }
  static I32 Times128(I32 v) { return _mm512_slli_epi32(v, 7); }
  static I32 RoundToI32(F32 v) { return _mm512_cvtps_epi32(v); }
  // Numbers below 2^14 as 128 * high + low.
  static void StoreSevenBits(std::int8_t* high, std::int8_t* low, I32 v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(high), _mm512_cvtepi32_epi8(_mm512_srli_epi32(v, 7)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(low),
                     _mm512_cvtepi32_epi8(_mm512_and_si512(v, _mm512_set1_epi32(127))));
  }
  static F32 ToFloat(I32 v) { return _mm512_cvtepi32_ps(v); }
  static void StoreI8(std::int8_t* p, I32 v) {  // within [-127, 127]
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(v));
  }
  // The low byte of each number to byte `at` of each lane in memory, whose other bytes may be another thread's.
  static void StoreByteOfLanes(std::uint8_t* p, int at, I32 v) {
    const __m512i shifted = _mm512_sll_epi32(v, _mm_cvtsi32_si128(8 * at));
    _mm512_mask_storeu_epi8(p, 0x1111111111111111ULL << at, shifted);
  }
  // The larger of `bits` and |v|, as the bits of positive numbers, which are in the order of the numbers; NaN is the
  // largest.
  static I32 LargerMagnitude(I32 bits, F32 v) {
    return _mm512_max_epi32(bits, _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(0x7FFFFFFF)));
  }
  static std::int32_t ReduceMax(I32 v) { return _mm512_reduce_max_epi32(v); }

 private:
  static __m128i Load16(const std::uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
};

}  // namespace
}  // namespace kernels
