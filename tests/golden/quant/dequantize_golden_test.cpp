// Compares every vector target's dequantisation with ggml's own; generate.py beside this file says how golden.tsv was
// made.
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/primitives/cpu_kernels.h"
#include "kernels/quant/dequantize.h"
#include "libs/tensor/dtype.h"
#include "tests/golden/escaped_text.h"
#include "tests/golden/model_path.h"

namespace kernels {
namespace {

constexpr std::pair<tensor::DType, WeightFormat> kFormats[] = {
    {tensor::DType::kQ4_0, WeightFormat::kQ4_0}, {tensor::DType::kQ4_1, WeightFormat::kQ4_1},
    {tensor::DType::kQ5_0, WeightFormat::kQ5_0}, {tensor::DType::kQ5_1, WeightFormat::kQ5_1},
    {tensor::DType::kQ8_0, WeightFormat::kQ8_0}, {tensor::DType::kQ4_K, WeightFormat::kQ4_K},
    {tensor::DType::kQ5_K, WeightFormat::kQ5_K}, {tensor::DType::kQ6_K, WeightFormat::kQ6_K}};

std::vector<std::uint8_t> FromHex(std::string_view digits) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 2 <= digits.size(); i += 2) {
    bytes.push_back(golden::Number<std::uint8_t>(digits.substr(i, 2), 16));
  }
  return bytes;
}

TEST(DequantizeGoldenTest, EveryFormatIsWhatTheReferenceReads) {
  std::ifstream file(golden::SourcePath("tests/golden/quant/golden.tsv"));
  std::size_t rows = 0;
  for (std::string line; std::getline(file, line); ++rows) {
    const std::vector<std::string_view> fields = golden::Split(line, '\t');
    const auto dtype = tensor::DTypeFromGguf(golden::Number<std::uint32_t>(fields.at(0), 10));
    ASSERT_TRUE(dtype.ok()) << dtype.status();
    const std::vector<std::uint8_t> blocks = FromHex(fields.at(1)), expected = FromHex(fields.at(2));
    const auto values = static_cast<std::int64_t>(expected.size() / 4);
    for (const auto& [file_type, format] : kFormats) {
      if (file_type != *dtype) continue;
      EXPECT_EQ(tensor::RowBytes(*dtype, static_cast<std::uint64_t>(values)).value(), blocks.size());
      ASSERT_EQ(RowBytes(format, values), static_cast<std::int64_t>(blocks.size()));
      for (CpuTarget target : kCpuTargets) {
        const CpuKernels* kernels = CpuKernelsFor(target);
        if (kernels == nullptr) continue;
        SCOPED_TRACE(std::string(tensor::DTypeName(*dtype)) + " on " + kernels->name);
        std::vector<float> actual(static_cast<std::size_t>(values));
        kernels->dequantize_row(format, blocks.data(), values, actual.data());
        for (std::size_t i = 0; i < actual.size(); ++i) {
          std::uint32_t bits;
          __builtin_memcpy(&bits, expected.data() + 4 * i, 4);
          ASSERT_EQ(actual[i], std::bit_cast<float>(bits)) << i;
        }
      }
    }
  }
  EXPECT_EQ(rows, std::size(kFormats));
}

}  // namespace
}  // namespace kernels
