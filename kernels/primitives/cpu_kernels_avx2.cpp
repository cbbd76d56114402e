#include <immintrin.h>

#include "kernels/primitives/cpu_kernels_targets.h"
#include "kernels/primitives/kernels_of_target.h"

namespace kernels {
namespace {

struct Avx2 {
  using F32 = __m256;
  using I32 = __m256i;
  using Bytes = __m256i;
  using Words = __m256i;  // of 16 bits
  struct Pair {
    F32 first, second;
  };
  static constexpr int kLanes = 8;
  static constexpr int kGemmRows = 3;         // 3 x 4 accumulators, 1 weight and 3 activations of 16 registers
  static constexpr int kFewRowsTogether = 1;  // 1 x 8 accumulators
  static constexpr std::int64_t kRows = 8;    // of a panel of packed weights: half of it
  static constexpr bool kDotsOfFour = false;

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

  // Eight pairs of BF16 numbers at p, aligned: the first of each, and the second.
  static constexpr int kBf16Rows = 4;
  static Pair WidenBf16Pairs(const std::uint16_t* p) {
    const __m256i pairs = _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
            _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xFFFF0000U))))};
  }

  // Packed weights (quant/packed_weights.h) and rounded activations; addresses are aligned.
  static Bytes LoadBytes(const std::uint8_t* p) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(p)); }
  static Bytes LoadNibbles(const std::uint8_t* p) { return LoadBytes(p); }
  static Bytes LowNibbles(Bytes v) { return _mm256_and_si256(v, _mm256_set1_epi8(0xF)); }
  static Bytes HighNibbles(Bytes v) { return _mm256_and_si256(_mm256_srli_epi16(v, 4), _mm256_set1_epi8(0xF)); }
  static F32 LoadFloats(const std::uint8_t* p) { return _mm256_load_ps(reinterpret_cast<const float*>(p)); }
  // Eight words into the low halves of the lanes, zeros into the high ones; and two words for each lane.
  static Words LoadWords(const std::uint8_t* p) {
    return _mm256_cvtepu16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static Words LoadWordPairs(const std::uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static Words BothHalves(Words low) { return _mm256_or_si256(low, _mm256_slli_epi32(low, 16)); }
  static Words AsWords(I32 v) { return v; }
  static Words ZeroWords() { return _mm256_setzero_si256(); }
  // The two words at p, and the number at p, in every lane.
  static Words TwoWords(const std::int16_t* p) {
    std::int32_t two;
    __builtin_memcpy(&two, p, sizeof(two));
    return _mm256_set1_epi32(two);
  }
  static I32 Set1I32(const std::int32_t* p) { return _mm256_set1_epi32(*p); }
  static I32 ZeroI32() { return _mm256_setzero_si256(); }
  static I32 LoadI32(const std::int32_t* p) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(p)); }
  static void StoreI32(std::int32_t* p, I32 v) { _mm256_store_si256(reinterpret_cast<__m256i*>(p), v); }
  // Four bytes of x in every lane, to be multiplied with four bytes of every row.
  static Bytes Four(const std::int8_t* x) {
    std::int32_t four;
    __builtin_memcpy(&four, x, sizeof(four));
    return _mm256_set1_epi32(four);
  }
  // sum += the four products of each row.
  template <bool k4Bits>
  static I32 Dot(I32 sum, Bytes w, Bytes x4) {
    const __m256i ones = _mm256_set1_epi16(1);
    if constexpr (k4Bits) {
      return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x4), ones));
    } else {  // two products of full bytes would saturate 16 bits: the top bit is multiplied apart
      const __m256i low = _mm256_and_si256(w, _mm256_set1_epi8(0x7F)),
                    top = _mm256_andnot_si256(_mm256_set1_epi8(0x7F), w);
      sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(low, x4), ones));
      return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(top, x4), ones));
    }
  }
  // sum += the products of neighbouring 4-bit weights, added two by two; eight such sums fit a word.
  static Words AddPairs(Words sum, Bytes w, Bytes x4) { return _mm256_add_epi16(sum, _mm256_maddubs_epi16(w, x4)); }
  // sum += the products of a lane's two words.
  static I32 AddWordProducts(I32 sum, Words a, Words b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
  static I32 Add(I32 a, I32 b) { return _mm256_add_epi32(a, b); }
  static I32 Sub(I32 a, I32 b) { return _mm256_sub_epi32(a, b); }
  static I32 Times128(I32 v) { return _mm256_slli_epi32(v, 7); }
  static I32 RoundToI32(F32 v) { return _mm256_cvtps_epi32(v); }
  // Numbers below 2^14 as 128 * high + low.
  static void StoreSevenBits(std::int8_t* high, std::int8_t* low, I32 v) {
    StoreBytes(high, _mm256_srli_epi32(v, 7));
    StoreBytes(low, _mm256_and_si256(v, _mm256_set1_epi32(127)));
  }
  static F32 ToFloat(I32 v) { return _mm256_cvtepi32_ps(v); }
  static void StoreI8(std::int8_t* p, I32 v) { StoreBytes(p, v); }  // within [-127, 127]; another number may become any
  static void StoreByteOfLanes(std::uint8_t* p, int at, I32 v) {
    alignas(32) std::uint8_t bytes[32];
    _mm256_store_si256(reinterpret_cast<__m256i*>(bytes), v);
    for (int i = 0; i < kLanes; ++i) p[i * 4 + at] = bytes[i * 4];
  }
  static I32 LargerMagnitude(I32 bits, F32 v) {
    return _mm256_max_epi32(bits, _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7FFFFFFF)));
  }
  static std::int32_t ReduceMax(I32 v) {
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4E));
    return _mm_cvtsi128_si32(_mm_max_epi32(half, _mm_shuffle_epi32(half, 0xB1)));
  }

 private:
  static void StoreBytes(std::int8_t* p, __m256i wide) {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
  }
  static __m128i Load8(const std::uint8_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); }
};

}  // namespace

const CpuKernels kAvx2Kernels = KernelsOfTarget<Avx2>("avx2");

}  // namespace kernels
