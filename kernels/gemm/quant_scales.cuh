#pragma once

#include "kernels/gemm/gemm_gpu.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/nibbles.h"

namespace kernels::gpu {

// Packed weights and scales as a lane multiplies them; the lane's part of quant_gemm_kernel.cuh.

// Four pairs of nibbles as four registers of BF16 pairs, each `base` plus the nibble's worth.
__device__ __forceinline__ void UnpackNibbles(std::uint32_t word, std::uint32_t base, std::uint32_t (&operand)[4]) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t turned = i == 0 ? word : __funnelshift_r(word, word, 4U * static_cast<unsigned>(i));
    operand[i] = NibblePairToBf16(turned, base);
  }
}

__device__ __forceinline__ float LowHalf(std::uint32_t packed) {
  return ToFloat(Fp16{static_cast<std::uint16_t>(packed & 0xFFFFU)});
}
__device__ __forceinline__ float HighHalf(std::uint32_t packed) {
  return ToFloat(Fp16{static_cast<std::uint16_t>(packed >> 16)});
}

// The upper bits of 2^23. Launched as a number that the compiler doesn't know: of two constants that a byte permutation
// takes it keeps one in the instruction, and that had better be the selector, of which there are four.
inline constexpr std::uint32_t kQuantExponent = 0x4B000000U;

// What a lane needs of a stage's scales: for its four rows group + 8 * entry of a cell, value = scale * q + offset.
template <typename Shape>
struct QuantScales {
  float scale[4], offset[4];  // the offset less 16 times the scale, which the operand has too much; only with minima
  // Q4_K alone: the scales above the six bits, and those times -2^23.
  float super_scale[4], super_minimum[4], scale_shift[4], minimum_shift[4];

  std::uint32_t exponent;  // kQuantExponent

  // `scales`: those of the stage; once a stage.
  __device__ __forceinline__ void StartStage(const unsigned char* scales, int group, std::uint32_t exponent_bits) {
    exponent = exponent_bits;
    if constexpr (Shape::kFormat == MatrixFormat::kQ4_K) {
      const uint4 pairs = reinterpret_cast<const uint4*>(scales + Shape::kStageCells * Shape::kScaleBytes)[group];
      const std::uint32_t words[4] = {pairs.x, pairs.y, pairs.z, pairs.w};
#pragma unroll
      for (int entry = 0; entry < 4; ++entry) {
        super_scale[entry] = LowHalf(words[entry]);
        super_minimum[entry] = -HighHalf(words[entry]);
        scale_shift[entry] = super_scale[entry] * -8388608.0F;
        minimum_shift[entry] = super_minimum[entry] * -8388608.0F;
      }
    }
  }

  __device__ __forceinline__ void Load(const unsigned char* scales, int cell, int group) {
    const unsigned char* of_cell = scales + cell * Shape::kScaleBytes;
    if constexpr (Shape::kFormat == MatrixFormat::kQ4_1) {
      const uint4 pairs = reinterpret_cast<const uint4*>(of_cell)[group];
      const std::uint32_t words[4] = {pairs.x, pairs.y, pairs.z, pairs.w};
#pragma unroll
      for (int entry = 0; entry < 4; ++entry) {
        scale[entry] = LowHalf(words[entry]);
        offset[entry] = fmaf(-16.0F, scale[entry], HighHalf(words[entry]));
      }
    } else if constexpr (Shape::kFormat == MatrixFormat::kQ4_K) {
      const uint2 bytes = reinterpret_cast<const uint2*>(of_cell)[group];
#pragma unroll
      for (int entry = 0; entry < 4; ++entry) {
        scale[entry] = fmaf(Shifted(bytes.x, entry), super_scale[entry], scale_shift[entry]);
        const float minimum = fmaf(Shifted(bytes.y, entry), super_minimum[entry], minimum_shift[entry]);
        offset[entry] = fmaf(-16.0F, scale[entry], minimum);
      }
    } else {
      const uint2 halves = reinterpret_cast<const uint2*>(of_cell)[group];
      scale[0] = LowHalf(halves.x), scale[1] = HighHalf(halves.x);
      scale[2] = LowHalf(halves.y), scale[3] = HighHalf(halves.y);
    }
  }

 private:
  // 2^23 + byte `index` of `bytes`: behind 0x4B0000 it is the end of a mantissa. The product with a scale less 2^23
  // times the scale is then exact, being rounded once.
  __device__ __forceinline__ float Shifted(std::uint32_t bytes, int index) const {
    return BitsToFloat(__byte_perm(bytes, exponent, 0x7440U | static_cast<unsigned>(index)));
  }
};

}  // namespace kernels::gpu
