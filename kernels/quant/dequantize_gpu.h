#pragma once

#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/quant/weight_format.h"

// The formats of weight_format.h on the device, eight values at a time; dequantize_ref.cpp is the plain reference, and
// says where each bit lies. Every product here is exact in F32 and each value is rounded once at most, so the results
// equal the reference bit for bit, fused or not. For loading and for embedding rows, not for products.
namespace kernels::gpu {

inline constexpr int kLoadedValues = 8;

// Bytes in a file are aligned to two: the blocks have even sizes.
__device__ __forceinline__ float LoadHalf(const std::uint8_t* bytes) {
  return ToFloat(Fp16{*reinterpret_cast<const std::uint16_t*>(bytes)});
}
struct EightBytes {
  std::uint16_t pairs[4];
  __device__ __forceinline__ int operator[](int i) const { return pairs[i / 2] >> (i % 2 * 8) & 0xFF; }
};
__device__ __forceinline__ EightBytes LoadEight(const std::uint8_t* bytes) {
  const auto* pairs = reinterpret_cast<const std::uint16_t*>(bytes);
  return {{pairs[0], pairs[1], pairs[2], pairs[3]}};
}

// Values first .. first + 7 (first a multiple of 8) of a block of 32: scale * (nibble, with a fifth bit if any) +
// offset.
template <bool kFiveBits>
__device__ __forceinline__ void LoadSmallBlock(const std::uint8_t* fifth_bits, const std::uint8_t* nibbles, int first,
                                               float scale, float offset, float (&values)[kLoadedValues]) {
  const EightBytes bytes = LoadEight(nibbles + first % 16);
  const int shift = first < 16 ? 0 : 4;
  std::uint32_t high = 0;
  if constexpr (kFiveBits) high = std::uint32_t{fifth_bits[first / 8]};
#pragma unroll
  for (int i = 0; i < kLoadedValues; ++i) {
    const int value = (bytes[i] >> shift & 0xF) | static_cast<int>(high >> i & 1U) << 4;
    values[i] = scale * static_cast<float>(value) + offset;
  }
}

// The same of a block of Q4_K or Q5_K; `first` below 256.
template <bool kFiveBits>
__device__ __forceinline__ void LoadQ45K(const std::uint8_t* block, int first, float (&values)[kLoadedValues]) {
  const int group = first / 32;
  const std::uint8_t* packed = block + 4;  // 6-bit scales and minima
  int scale = packed[group] & 63, minimum = packed[group % 4 + 4] & 63;
  if (group >= 4) {
    const int low = packed[group + 4];
    scale = (low & 0xF) | packed[group - 4] >> 6 << 4;
    minimum = low >> 4 | packed[group] >> 6 << 4;
  }
  const float group_d = LoadHalf(block) * static_cast<float>(scale);
  const float offset = -LoadHalf(block + 2) * static_cast<float>(minimum);
  const EightBytes nibbles = LoadEight(block + (kFiveBits ? 48 : 16) + group / 2 * 32 + first % 32);
  EightBytes fifth_bits{};
  if constexpr (kFiveBits) fifth_bits = LoadEight(block + 16 + first % 32);
#pragma unroll
  for (int i = 0; i < kLoadedValues; ++i) {
    const int value = (nibbles[i] >> group % 2 * 4 & 0xF) | (fifth_bits[i] >> group & 1) << 4;
    values[i] = group_d * static_cast<float>(value) + offset;
  }
}

__device__ __forceinline__ void LoadQ6K(const std::uint8_t* block, int first, float (&values)[kLoadedValues]) {
  const int half = first / 128, part = first / 32 % 4, i = first % 32;
  const EightBytes low = LoadEight(block + half * 64 + part % 2 * 32 + i);
  const EightBytes pairs = LoadEight(block + 128 + half * 32 + i);
  const auto scale = static_cast<std::int8_t>(block[192 + first / 16]);
  const float group_d = LoadHalf(block + 208) * static_cast<float>(scale);
#pragma unroll
  for (int j = 0; j < kLoadedValues; ++j) {
    const int value = (low[j] >> part / 2 * 4 & 0xF) | (pairs[j] >> 2 * part & 3) << 4;
    values[j] = group_d * static_cast<float>(value - 32);
  }
}

__device__ __forceinline__ void LoadQ80(const std::uint8_t* block, int first, float (&values)[kLoadedValues]) {
  const float d = LoadHalf(block);
  const EightBytes bytes = LoadEight(block + 2 + first);
#pragma unroll
  for (int i = 0; i < kLoadedValues; ++i) values[i] = d * static_cast<float>(static_cast<std::int8_t>(bytes[i]));
}

// F32, F16, BF16: rows are aligned to 16 bytes.
template <WeightFormat kFormat>
__device__ __forceinline__ void LoadPlain(const std::uint8_t* row, std::int64_t first, float (&values)[kLoadedValues]) {
  if constexpr (kFormat == WeightFormat::kF32) {
    const auto* from = reinterpret_cast<const float4*>(row) + first / 4;
    const float4 a = from[0], b = from[1];
    values[0] = a.x, values[1] = a.y, values[2] = a.z, values[3] = a.w;
    values[4] = b.x, values[5] = b.y, values[6] = b.z, values[7] = b.w;
  } else {
    const uint4 packed = *(reinterpret_cast<const uint4*>(row) + first / 8);
    const std::uint32_t words[4] = {packed.x, packed.y, packed.z, packed.w};
#pragma unroll
    for (int i = 0; i < kLoadedValues; ++i) {
      const auto bits = static_cast<std::uint16_t>(words[i / 2] >> (i % 2 * 16));
      if constexpr (kFormat == WeightFormat::kF16) {
        values[i] = ToFloat(Fp16{bits});
      } else {
        values[i] = ToFloat(Bf16{bits});
      }
    }
  }
}

// Values first .. first + 7 of a row, widened.
//   row : [RowBytes(kFormat, values of the row)], aligned to 16 bytes for F32, F16 and BF16, to 2 for the others
// REQUIRES: first a multiple of 8
template <WeightFormat kFormat>
__device__ __forceinline__ void LoadWeights(const std::uint8_t* row, std::int64_t first,
                                            float (&values)[kLoadedValues]) {
  constexpr WeightBlock kBlock = BlockOf(kFormat);
  const std::uint8_t* block = row + first / kBlock.values * kBlock.bytes;
  const int in_block = static_cast<int>(first % kBlock.values);
  if constexpr (kFormat == WeightFormat::kQ8_0) {
    LoadQ80(block, in_block, values);
  } else if constexpr (kFormat == WeightFormat::kQ4_0) {
    LoadSmallBlock<false>(nullptr, block + 2, in_block, LoadHalf(block), -8.0F * LoadHalf(block), values);
  } else if constexpr (kFormat == WeightFormat::kQ4_1) {
    LoadSmallBlock<false>(nullptr, block + 4, in_block, LoadHalf(block), LoadHalf(block + 2), values);
  } else if constexpr (kFormat == WeightFormat::kQ5_0) {
    LoadSmallBlock<true>(block + 2, block + 6, in_block, LoadHalf(block), -16.0F * LoadHalf(block), values);
  } else if constexpr (kFormat == WeightFormat::kQ5_1) {
    LoadSmallBlock<true>(block + 4, block + 8, in_block, LoadHalf(block), LoadHalf(block + 2), values);
  } else if constexpr (kFormat == WeightFormat::kQ4_K) {
    LoadQ45K<false>(block, in_block, values);
  } else if constexpr (kFormat == WeightFormat::kQ5_K) {
    LoadQ45K<true>(block, in_block, values);
  } else if constexpr (kFormat == WeightFormat::kQ6_K) {
    LoadQ6K(block, in_block, values);
  } else {
    static_assert(kBlock.values == 1, "a format that this function does not know");
    LoadPlain<kFormat>(row, first, values);
  }
}

// Alignment that LoadWeights needs of a row.
constexpr std::uintptr_t AlignmentOf(WeightFormat format) { return BlockOf(format).values == 1 ? 16 : 2; }

// call.template operator()<kFormat>() for the format known at run time.
template <typename Call>
LaunchResult ForFormat(WeightFormat format, const Call& call) {
  switch (format) {
    case WeightFormat::kF32:
      return call.template operator()<WeightFormat::kF32>();
    case WeightFormat::kF16:
      return call.template operator()<WeightFormat::kF16>();
    case WeightFormat::kBF16:
      return call.template operator()<WeightFormat::kBF16>();
    case WeightFormat::kQ8_0:
      return call.template operator()<WeightFormat::kQ8_0>();
    case WeightFormat::kQ4_0:
      return call.template operator()<WeightFormat::kQ4_0>();
    case WeightFormat::kQ4_1:
      return call.template operator()<WeightFormat::kQ4_1>();
    case WeightFormat::kQ5_0:
      return call.template operator()<WeightFormat::kQ5_0>();
    case WeightFormat::kQ5_1:
      return call.template operator()<WeightFormat::kQ5_1>();
    case WeightFormat::kQ4_K:
      return call.template operator()<WeightFormat::kQ4_K>();
    case WeightFormat::kQ5_K:
      return call.template operator()<WeightFormat::kQ5_K>();
    case WeightFormat::kQ6_K:
      return call.template operator()<WeightFormat::kQ6_K>();
  }
  return LaunchResult::Refused("requires a weight format that this build knows");
}

}  // namespace kernels::gpu
