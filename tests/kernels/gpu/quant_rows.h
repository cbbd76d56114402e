#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "kernels/gemm/gemm_gpu.h"
#include "kernels/quant/dequantize.h"
#include "kernels/quant/half.h"
#include "kernels/quant/repack_gpu.h"
#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {

inline constexpr MatrixFormat kQuantFormats[] = {MatrixFormat::kQ8_0, MatrixFormat::kQ4_0, MatrixFormat::kQ4_1,
                                                 MatrixFormat::kQ4_K};

inline WeightFormat NamesakeOf(MatrixFormat format) {
  switch (format) {
    case MatrixFormat::kQ8_0:
      return WeightFormat::kQ8_0;
    case MatrixFormat::kQ4_0:
      return WeightFormat::kQ4_0;
    case MatrixFormat::kQ4_1:
      return WeightFormat::kQ4_1;
    case MatrixFormat::kQ4_K:
      return WeightFormat::kQ4_K;
    default:
      return WeightFormat::kF32;
  }
}

// Rows of a file: every payload byte random, scales of either sign.
inline std::vector<std::uint8_t> RandomFileRows(MatrixFormat format, std::int32_t n, std::int32_t k,
                                                std::mt19937& rng) {
  const WeightFormat file_format = NamesakeOf(format);
  std::vector<std::uint8_t> rows(static_cast<std::size_t>(n * RowBytes(file_format, k)));
  for (std::uint8_t& byte : rows) byte = static_cast<std::uint8_t>(rng());
  std::normal_distribution<float> normal(0.0F, 1.0F);
  const bool is_super = format == MatrixFormat::kQ4_K;
  const auto block_bytes = static_cast<std::size_t>(BlockOf(file_format).bytes);
  for (std::size_t block = 0; block < rows.size(); block += block_bytes) {
    const std::uint16_t halves[2] = {FloatToHalf(normal(rng) * (is_super ? 1e-3F : 0.05F)),
                                     FloatToHalf(normal(rng) * (is_super ? 1e-2F : 0.4F))};
    const bool has_two = is_super || format == MatrixFormat::kQ4_1;
    __builtin_memcpy(rows.data() + block, halves, has_two ? 4 : 2);
  }
  return rows;
}

// The matrix of such rows in device memory, and its values as the file's reference reads them.
struct QuantMatrix {
  QuantMatrix(MatrixFormat format, std::int32_t n, std::int32_t k, const std::vector<std::uint8_t>& rows)
      : data(static_cast<std::size_t>(BytesOfMatrix(format, n, k).data)),
        scales(static_cast<std::size_t>(BytesOfMatrix(format, n, k).scales)),
        matrix{data.get(), scales.get(), format, n, k},
        values(static_cast<std::size_t>(n) * static_cast<std::size_t>(k)) {
    const DeviceArray<std::uint8_t> file(rows);
    const Repack repack{file.get(), NamesakeOf(format), n, k, format, data.get(), scales.get()};
    const LaunchResult result = RunRepack(repack, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    EXPECT_TRUE(Synchronize(Stream{nullptr}).ok());
    for (std::int32_t row = 0; row < n; ++row) {
      const std::int64_t row_bytes = RowBytes(NamesakeOf(format), k);
      DequantizeRowRef(NamesakeOf(format), rows.data() + row * row_bytes, k,
                       values.data() + static_cast<std::ptrdiff_t>(row) * k);
    }
  }

  DeviceArray<std::uint8_t> data, scales;
  Matrix matrix;
  std::vector<float> values;  // [n][k]
};

}  // namespace kernels::gpu
