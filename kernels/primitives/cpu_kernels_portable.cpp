#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "kernels/primitives/cpu_kernels_targets.h"
#include "kernels/primitives/kernels_of_target.h"
#include "kernels/quant/half.h"

namespace kernels {
namespace {

// Four lanes as a GCC vector: SSE2 on any x86-64, NEON on ARM64. No fused multiply-add, which is not everywhere.
struct Portable {
  using F32 = float __attribute__((vector_size(16)));
  struct Pair {
    F32 first, second;
  };
  using I32 = std::int32_t __attribute__((vector_size(16)));
  using Words = std::int16_t __attribute__((vector_size(16)));
  using RawBytes = std::uint8_t __attribute__((vector_size(16)));
  struct Bytes {  // widened: there is no multiplication of bytes
    Words even, odd;
  };
  static constexpr int kLanes = 4;
  static constexpr int kGemmRows = 2;
  static constexpr int kFewRowsTogether = 1;  // 1 x 8 accumulators
  static constexpr std::int64_t kRows = 4;    // of a panel of packed weights: a quarter of it
  static constexpr bool kDotsOfFour = false;

  static F32 Zero() { return F32{}; }
  static F32 Set1(float v) { return F32{v, v, v, v}; }
  static F32 Load(const float* p) {
    F32 v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
  }
  static F32 LoadPartial(const float* p, int count) {
    F32 v{};
    __builtin_memcpy(&v, p, static_cast<std::size_t>(count) * sizeof(float));
    return v;
  }
  static void Store(float* p, F32 v) { __builtin_memcpy(p, &v, sizeof(v)); }
  static F32 Add(F32 a, F32 b) { return a + b; }
  static F32 Sub(F32 a, F32 b) { return a - b; }
  static F32 Mul(F32 a, F32 b) { return a * b; }
  static F32 Div(F32 a, F32 b) { return a / b; }
  static F32 Max(F32 a, F32 b) { return a > b ? a : b; }
  static F32 Min(F32 a, F32 b) { return a < b ? a : b; }
  static F32 Fma(F32 a, F32 b, F32 c) { return a * b + c; }
  static F32 Round(F32 v) {  // to nearest even, for |v| < 2^22: adding 1.5 * 2^23 shifts the fraction out
    const F32 shift = Set1(0x1.8p23F);
    return (v + shift) - shift;
  }
  static F32 Pow2(F32 n) {
    I32 bits = __builtin_convertvector(n, I32) + 127;
    bits <<= 23;
    F32 v;
    __builtin_memcpy(&v, &bits, sizeof(v));
    return v;
  }
  static F32 SwapPairs(F32 v) { return F32{v[1], v[0], v[3], v[2]}; }
  static float First(F32 v) { return v[0]; }
  static float ReduceSum(F32 v) { return (v[0] + v[2]) + (v[1] + v[3]); }
  static float ReduceMax(F32 v) {
    const float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
  }
  static void ReduceSum4(F32 a, F32 b, F32 c, F32 d, float* out) {
    Store(out, F32{ReduceSum(a), ReduceSum(b), ReduceSum(c), ReduceSum(d)});
  }

  static F32 LoadF16(const std::uint16_t* p) {
    return F32{HalfToFloat(p[0]), HalfToFloat(p[1]), HalfToFloat(p[2]), HalfToFloat(p[3])};
  }
  static void StoreF16(std::uint16_t* p, F32 v) {
    for (int i = 0; i < kLanes; ++i) p[i] = FloatToHalf(v[i]);
  }
  static F32 LoadBF16(const std::uint16_t* p) {
    const std::uint32_t wide[4] = {std::uint32_t{p[0]} << 16, std::uint32_t{p[1]} << 16, std::uint32_t{p[2]} << 16,
                                   std::uint32_t{p[3]} << 16};
    F32 v;
    __builtin_memcpy(&v, wide, sizeof(v));
    return v;
  }
  static F32 LoadI8(const std::uint8_t* p) {
    return Widen([p](int i) { return static_cast<std::int8_t>(p[i]); });
  }
  // The F16 number at p in every lane; and the two at p and p + 2.
  static F32 Set1Half(const std::uint8_t* p) {
    std::uint16_t bits;
    __builtin_memcpy(&bits, p, sizeof(bits));
    return Set1(HalfToFloat(bits));
  }
  static Pair Set1HalfPair(const std::uint8_t* p) { return {Set1Half(p), Set1Half(p + 2)}; }
  // out[i] = scale * low nibble i + offset, out[i + 16] the same of the high ones.
  static void WidenNibbles(const std::uint8_t* nibbles, F32 scale, F32 offset, float* out) {
    for (int i = 0; i < 16; i += kLanes) {
      Store(out + i, Fma(Widen([&](int lane) { return nibbles[i + lane] & 0x0f; }), scale, offset));
      Store(out + i + 16, Fma(Widen([&](int lane) { return nibbles[i + lane] >> 4; }), scale, offset));
    }
  }

  // Four pairs of BF16 numbers at p: the first of each, and the second.
  static constexpr int kBf16Rows = 4;
  static Pair WidenBf16Pairs(const std::uint16_t* p) {
    const auto pairs = LoadAs<I32>(p);
    const I32 first = pairs << 16, second = pairs & static_cast<std::int32_t>(0xFFFF0000U);
    return {LoadAs<F32>(&first), LoadAs<F32>(&second)};
  }

  // Packed weights (quant/packed_weights.h) and rounded activations.
  static Bytes LoadBytes(const std::uint8_t* p) { return WidenUnsigned(LoadNibbles(p)); }
  static RawBytes LoadNibbles(const std::uint8_t* p) { return LoadAs<RawBytes>(p); }
  static Bytes LowNibbles(RawBytes v) { return WidenUnsigned(v & 0xF); }
  static Bytes HighNibbles(RawBytes v) { return WidenUnsigned(v >> 4); }
  static F32 LoadFloats(const std::uint8_t* p) { return LoadAs<F32>(p); }
  // Four words into the low halves of the lanes, zeros into the high ones; and two words for each lane.
  static Words LoadWords(const std::uint8_t* p) {
    std::uint16_t words[4];
    __builtin_memcpy(words, p, sizeof(words));
    return AsWords(I32{words[0], words[1], words[2], words[3]});
  }
  static Words LoadWordPairs(const std::uint8_t* p) { return LoadAs<Words>(p); }
  static Words BothHalves(Words low) {
    const auto lanes = LoadAs<I32>(&low);
    return AsWords(lanes | lanes << 16);
  }
  static Words AsWords(I32 v) { return LoadAs<Words>(&v); }
  static Words ZeroWords() { return Words{}; }
  // The two words at p, and the number at p, in every lane.
  static Words TwoWords(const std::int16_t* p) {
    std::int32_t two;
    __builtin_memcpy(&two, p, sizeof(two));
    return AsWords(I32{two, two, two, two});
  }
  static I32 Set1I32(const std::int32_t* p) { return I32{*p, *p, *p, *p}; }
  static I32 ZeroI32() { return I32{}; }
  static I32 LoadI32(const std::int32_t* p) { return LoadAs<I32>(p); }
  static void StoreI32(std::int32_t* p, I32 v) { __builtin_memcpy(p, &v, sizeof(v)); }
  // Four bytes of x in every lane, to be multiplied with four bytes of every row.
  static Bytes Four(const std::int8_t* x) {
    std::int32_t four;
    __builtin_memcpy(&four, x, sizeof(four));
    const Words both = AsWords(I32{four, four, four, four});
    return {(both << 8) >> 8, both >> 8};
  }
  // sum += the four products of each row.
  template <bool k4Bits>
  static I32 Dot(I32 sum, Bytes w, Bytes x4) {
    return AddWordProducts(AddWordProducts(sum, w.even, x4.even), w.odd, x4.odd);
  }
  // sum += the products of neighbouring 4-bit weights, added two by two; eight such sums fit a word.
  static Words AddPairs(Words sum, Bytes w, Bytes x4) { return sum + w.even * x4.even + w.odd * x4.odd; }
  // sum += the products of a lane's two words.
  static I32 AddWordProducts(I32 sum, Words a, Words b) {
#if defined(__SSE2__)
    const __m128i products = _mm_madd_epi16(LoadAs<__m128i>(&a), LoadAs<__m128i>(&b));
    return sum + LoadAs<I32>(&products);
#else
    const auto wide_a = LoadAs<I32>(&a), wide_b = LoadAs<I32>(&b);
    return sum + (wide_a >> 16) * (wide_b >> 16) + ((wide_a << 16) >> 16) * ((wide_b << 16) >> 16);
#endif
  }
  static I32 Add(I32 a, I32 b) { return a + b; }
  static I32 Sub(I32 a, I32 b) { return a - b; }
  static I32 Times128(I32 v) { return v << 7; }
  static I32 RoundToI32(F32 v) { return __builtin_convertvector(Round(v == v ? v : Zero()), I32); }  // NaN: 0
  // Numbers below 2^14 as 128 * high + low.
  static void StoreSevenBits(std::int8_t* high, std::int8_t* low, I32 v) {
    for (int i = 0; i < kLanes; ++i) {
      high[i] = static_cast<std::int8_t>(v[i] >> 7 & 127);
      low[i] = static_cast<std::int8_t>(v[i] & 127);
    }
  }
  static F32 ToFloat(I32 v) { return __builtin_convertvector(v, F32); }
  static void StoreI8(std::int8_t* p, I32 v) {  // within [-127, 127]
    for (int i = 0; i < kLanes; ++i) p[i] = static_cast<std::int8_t>(v[i]);
  }
  static void StoreByteOfLanes(std::uint8_t* p, int at, I32 v) {
    for (int i = 0; i < kLanes; ++i) p[i * 4 + at] = static_cast<std::uint8_t>(v[i]);
  }
  static I32 LargerMagnitude(I32 bits, F32 v) {
    I32 magnitude;
    __builtin_memcpy(&magnitude, &v, sizeof(magnitude));
    magnitude &= 0x7FFFFFFF;
    return bits > magnitude ? bits : magnitude;
  }
  static std::int32_t ReduceMax(I32 v) {
    const std::int32_t a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
  }

 private:
  template <typename V>
  static V LoadAs(const void* p) {
    V v;
    __builtin_memcpy(&v, p, sizeof(v));
    return v;
  }
  static Bytes WidenUnsigned(RawBytes v) {
    using UnsignedWords = std::uint16_t __attribute__((vector_size(16)));
    const auto words = LoadAs<UnsignedWords>(&v);
    const UnsignedWords even = words & 0xFF, odd = words >> 8;
    return {LoadAs<Words>(&even), LoadAs<Words>(&odd)};
  }
  static F32 Widen(auto value) {
    return F32{static_cast<float>(value(0)), static_cast<float>(value(1)), static_cast<float>(value(2)),
               static_cast<float>(value(3))};
  }
};

}  // namespace

const CpuKernels kPortableKernels = KernelsOfTarget<Portable>("portable");

}  // namespace kernels
