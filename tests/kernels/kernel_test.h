#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

#include "kernels/primitives/cpu_kernels.h"
#include "kernels/quant/half.h"

namespace kernels {

// Each test runs for every instruction set that this machine has and compares with the plain reference.
class KernelTest : public testing::TestWithParam<CpuTarget> {
 protected:
  void SetUp() override {
    kernels_ = CpuKernelsFor(GetParam());
    if (kernels_ == nullptr) GTEST_SKIP() << "the machine lacks this instruction set";
  }

  std::vector<float> Random(std::int64_t count, float scale = 1.0F) {
    std::normal_distribution<float> normal(0.0F, scale);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = normal(rng_);
    return values;
  }

  // A valid row of weights in `format`: random payload, scales of about 0.05.
  std::vector<std::uint8_t> RandomRow(WeightFormat format, std::int64_t values) {
    std::vector<std::uint8_t> row(static_cast<std::size_t>(RowBytes(format, values)));
    if (format == WeightFormat::kF32) {
      const std::vector<float> floats = Random(values);
      __builtin_memcpy(row.data(), floats.data(), row.size());
      return row;
    }
    if (format == WeightFormat::kF16 || format == WeightFormat::kBF16) {
      for (std::int64_t i = 0; i < values; ++i) {
        const float value = Random(1)[0];
        std::uint32_t bits;
        __builtin_memcpy(&bits, &value, 4);
        const auto half = format == WeightFormat::kF16 ? FloatToHalf(value) : static_cast<std::uint16_t>(bits >> 16);
        __builtin_memcpy(row.data() + 2 * i, &half, 2);
      }
      return row;
    }
    for (std::uint8_t& byte : row) byte = static_cast<std::uint8_t>(rng_());
    const bool super_block = BlockOf(format).values == kSuperBlockValues;  // with integer scales under the F16 one
    const bool has_offset = format == WeightFormat::kQ4_1 || format == WeightFormat::kQ5_1;
    const auto block_bytes = static_cast<std::size_t>(BlockOf(format).bytes);
    for (std::size_t block = 0; block < row.size(); block += block_bytes) {
      const float spread = super_block ? 0.05F / 32 : 0.05F;
      const std::uint16_t scale = FloatToHalf(spread * Random(1)[0]);
      const std::uint16_t offset = FloatToHalf((has_offset ? 1.0F : spread) * Random(1)[0]);
      __builtin_memcpy(row.data() + block + (format == WeightFormat::kQ6_K ? 208 : 0), &scale, 2);
      if (has_offset || (super_block && format != WeightFormat::kQ6_K)) {
        __builtin_memcpy(row.data() + block + 2, &offset, 2);
      }
    }
    return row;
  }

  const CpuKernels* kernels_ = nullptr;
  std::mt19937 rng_{20240501};
};

inline std::string TargetName(const testing::TestParamInfo<CpuTarget>& info) {
  switch (info.param) {
    case CpuTarget::kReference:
      return "Reference";
    case CpuTarget::kPortable:
      return "Portable";
    case CpuTarget::kAvx2:
      return "Avx2";
    case CpuTarget::kAvx512:
      return "Avx512";
    case CpuTarget::kAvx512Vnni:
      return "Avx512Vnni";
  }
  return "Unknown";
}

}  // namespace kernels
