#include "kernels/quant/repack_gpu.h"

#include <cmath>
#include <limits>
#include <ostream>
#include <string>

#include "kernels/quant/dequantize.h"
#include "kernels/quant/half.h"
#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Named {
  WeightFormat format;
  const char* name;
  friend std::ostream& operator<<(std::ostream& out, const Named& named) { return out << named.name; }
};
constexpr Named kFormats[] = {
    {WeightFormat::kF32, "F32"},   {WeightFormat::kF16, "F16"},   {WeightFormat::kBF16, "BF16"},
    {WeightFormat::kQ8_0, "Q8_0"}, {WeightFormat::kQ4_0, "Q4_0"}, {WeightFormat::kQ4_1, "Q4_1"},
    {WeightFormat::kQ5_0, "Q5_0"}, {WeightFormat::kQ5_1, "Q5_1"}, {WeightFormat::kQ4_K, "Q4_K"},
    {WeightFormat::kQ5_K, "Q5_K"}, {WeightFormat::kQ6_K, "Q6_K"},
};

class RepackEdgeTest : public GpuTest {
 protected:
  // Rows as in a file: random payload under scales of about 0.05.
  std::vector<std::uint8_t> RandomFile(WeightFormat format, std::int32_t rows, std::int32_t values) {
    std::vector<std::uint8_t> file(std::size_t(rows * RowBytes(format, values)));
    for (std::uint8_t& byte : file) byte = static_cast<std::uint8_t>(rng_());
    const WeightBlock block = BlockOf(format);
    for (std::size_t at = 0; at < file.size(); at += std::size_t(block.bytes)) {
      const float value = 0.05F * Random(1)[0];
      const std::uint16_t half = FloatToHalf(value), offset = FloatToHalf(0.05F * Random(1)[0]);
      std::uint8_t* bytes = file.data() + at;
      if (format == WeightFormat::kF32) {
        __builtin_memcpy(bytes, &value, 4);
      } else if (format == WeightFormat::kBF16) {
        const Bf16 rounded = ToBf16(value);
        __builtin_memcpy(bytes, &rounded, 2);
      } else {
        __builtin_memcpy(bytes + (format == WeightFormat::kQ6_K ? 208 : 0), &half, 2);
        const bool has_offset = format != WeightFormat::kF16 && format != WeightFormat::kQ8_0 &&
                                format != WeightFormat::kQ4_0 && format != WeightFormat::kQ5_0 &&
                                format != WeightFormat::kQ6_K;
        if (has_offset) __builtin_memcpy(bytes + 2, &offset, 2);
      }
    }
    return file;
  }
  static std::vector<float> Widened(WeightFormat format, const std::vector<std::uint8_t>& file, std::int32_t values) {
    const std::size_t row_bytes = std::size_t(RowBytes(format, values)), rows = file.size() / row_bytes;
    std::vector<float> wide(rows * std::size_t(values));
    for (std::size_t row = 0; row < rows; ++row) {
      DequantizeRowRef(format, file.data() + row * row_bytes, values, wide.data() + row * std::size_t(values));
    }
    return wide;
  }

  static std::vector<std::uint16_t> ToBf16Matrix(WeightFormat format, const std::vector<std::uint8_t>& file,
                                                 std::int32_t n, std::int32_t k) {
    EXPECT_EQ(BytesOfMatrix(MatrixFormat::kBf16, n, k).data, std::int64_t{n} * k * 2);
    EXPECT_EQ(BytesOfMatrix(MatrixFormat::kBf16, n, k).scales, 0);
    DeviceArray<std::uint8_t> device_file(file);
    DeviceArray<std::uint16_t> data(std::size_t(n) * k);
    const LaunchResult result = RunRepack({.file = device_file.get(),
                                           .from = format,
                                           .n = n,
                                           .k = k,
                                           .to = MatrixFormat::kBf16,
                                           .data = data.get(),
                                           .scales = nullptr},
                                          nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    return data.Read();
  }
  struct Fp8Matrix {
    std::vector<Fp8> data;
    std::vector<float> scales;
  };
  static Fp8Matrix ToFp8Matrix(WeightFormat format, const std::vector<std::uint8_t>& file, std::int32_t n,
                               std::int32_t k) {
    const RepackedBytes bytes = BytesOfMatrix(MatrixFormat::kFp8, n, k);
    EXPECT_EQ(bytes.data, std::int64_t{n} * k);
    EXPECT_EQ(bytes.scales, std::int64_t{n} * 4);
    DeviceArray<std::uint8_t> device_file(file);
    DeviceArray<Fp8> data(std::size_t(n) * k);
    DeviceArray<float> scales(std::size_t{static_cast<std::size_t>(n)});
    const LaunchResult result = RunRepack({.file = device_file.get(),
                                           .from = format,
                                           .n = n,
                                           .k = k,
                                           .to = MatrixFormat::kFp8,
                                           .data = data.get(),
                                           .scales = scales.get()},
                                          nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    return {data.Read(), scales.Read()};
  }
};

class RepackTest : public RepackEdgeTest, public testing::WithParamInterface<Named> {};

// Rows longer than what a block reads at once, and an odd number of them.
constexpr std::int32_t kRows = 3, kColumns = 2304;

TEST_P(RepackTest, Bf16IsTheReferenceRounded) {
  const WeightFormat format = GetParam().format;
  const std::vector<std::uint8_t> file = RandomFile(format, kRows, kColumns);
  const std::vector<float> wide = Widened(format, file, kColumns);
  const std::vector<std::uint16_t> bits = ToBf16Matrix(format, file, kRows, kColumns);
  for (std::size_t i = 0; i < wide.size(); ++i) ASSERT_EQ(bits[i], ToBf16(wide[i]).bits) << i;
}

TEST_P(RepackTest, Fp8HasOneScaleARow) {
  const WeightFormat format = GetParam().format;
  const std::vector<std::uint8_t> file = RandomFile(format, kRows, kColumns);
  const std::vector<float> wide = Widened(format, file, kColumns);
  const Fp8Matrix matrix = ToFp8Matrix(format, file, kRows, kColumns);
  for (std::int32_t row = 0; row < kRows; ++row) {
    const float* values = wide.data() + std::size_t(row) * kColumns;
    double largest = 0;
    for (std::int32_t i = 0; i < kColumns; ++i) largest = std::max(largest, std::abs(double(values[i])));
    const double scale = matrix.scales[row];
    ASSERT_NEAR(scale, largest / 448, largest * 1e-7);
    for (std::int32_t i = 0; i < kColumns; ++i) {
      const double stored = double(ToFloat(matrix.data[std::size_t(row) * kColumns + i])) * scale;
      ASSERT_NEAR(stored, values[i], std::abs(values[i]) * 0x1.01p-4 + scale * 0x1.01p-10) << row << " " << i;
    }
  }
}

TEST_P(RepackTest, SameBitsUnderEverySchedule) {
  const WeightFormat format = GetParam().format;
  const std::vector<std::uint8_t> file = RandomFile(format, kRows, kColumns);
  const Fp8Matrix expected = ToFp8Matrix(format, file, kRows, kColumns);
  const std::vector<std::uint16_t> expected_bits = ToBf16Matrix(format, file, kRows, kColumns);
  ForEachSchedule([&] {
    const Fp8Matrix matrix = ToFp8Matrix(format, file, kRows, kColumns);
    EXPECT_EQ(matrix.scales, expected.scales);
    for (std::size_t i = 0; i < matrix.data.size(); ++i) ASSERT_EQ(matrix.data[i].bits, expected.data[i].bits) << i;
    EXPECT_EQ(ToBf16Matrix(format, file, kRows, kColumns), expected_bits);
  });
}

// Goal: every F16 scale, infinities, NaNs and subnormals among them, widens as in the reference.
// Method: wholly random bytes.
TEST_P(RepackTest, EmbeddedRowsEqualTheReferenceBitForBit) {
  const WeightFormat format = GetParam().format;
  constexpr std::int32_t kRowsTotal = 5, kWidth = 1280, kSmallest = std::numeric_limits<std::int32_t>::min();
  std::vector<std::uint8_t> embedding(std::size_t(kRowsTotal * RowBytes(format, kWidth)));
  for (std::uint8_t& byte : embedding) byte = static_cast<std::uint8_t>(rng_());
  const std::vector<float> wide = Widened(format, embedding, kWidth);
  DeviceArray<std::uint8_t> device_embedding(embedding);
  DeviceArray<std::int32_t> ids(std::vector<std::int32_t>{4, 0, -2, -1, -3, kRowsTotal, 4, -4, kSmallest}),
      picks(std::vector<std::int32_t>{3, 1, -1});
  const std::vector<std::int32_t> expected_rows = {4, 0, 1, 3, 0, 0, 4, 0, 0};  // the last two: no such pick
  DeviceArray<float> x(expected_rows.size() * kWidth);
  ASSERT_LAUNCHED(RunEmbedRows({.embedding = device_embedding.get(),
                                .format = format,
                                .rows_total = kRowsTotal,
                                .width = kWidth,
                                .token_ids = ids.get(),
                                .previous_picks = picks.get(),
                                .previous_count = 3,
                                .rows = std::int32_t(expected_rows.size()),
                                .x = x.get()},
                               nullptr));
  const std::vector<float> read = x.Read();
  for (std::size_t i = 0; i < read.size(); ++i) {
    const float expected = wide[std::size_t(expected_rows[i / kWidth]) * kWidth + i % kWidth];
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(read[i])) << i;
    } else {
      ASSERT_EQ(FloatToBits(read[i]), FloatToBits(expected)) << i << ": " << read[i] << " for " << expected;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, RepackTest, testing::ValuesIn(kFormats),
                         [](const auto& named) { return std::string(named.param.name); });

TEST_F(RepackEdgeTest, RowOfZerosAndNanWeights) {
  std::vector<float> values(3 * 32, 0.0F);
  values[32 + 5] = kNan, values[32 + 6] = 2.0F;
  for (std::int32_t i = 64; i < 96; ++i) values[std::size_t(i)] = 1e-41F;  // subnormal: below the smallest scale
  std::vector<std::uint8_t> file(values.size() * 4);
  __builtin_memcpy(file.data(), values.data(), file.size());
  const Fp8Matrix matrix = ToFp8Matrix(WeightFormat::kF32, file, 3, 32);
  for (std::int32_t i = 0; i < 96; ++i) {
    const float value = ToFloat(matrix.data[std::size_t(i)]) * matrix.scales[std::size_t(i) / 32];
    if (i == 37) {
      EXPECT_TRUE(std::isnan(value));
    } else {
      EXPECT_NEAR(value, values[std::size_t(i)], 1e-38) << i;
    }
  }
  for (const float scale : matrix.scales) EXPECT_GT(scale, 0.0F);
  const std::vector<std::uint16_t> bf16 = ToBf16Matrix(WeightFormat::kF32, file, 3, 32);
  for (std::size_t i = 0; i < 96; ++i) EXPECT_EQ(std::isnan(ToFloat(Bf16{bf16[i]})), i == 37);
}

TEST_F(RepackEdgeTest, EmbeddingWithoutPicksReadsRowZeroForNegativeIds) {
  const std::vector<float> rows = Random(2 * 8);
  std::vector<std::uint8_t> file(rows.size() * 4);
  __builtin_memcpy(file.data(), rows.data(), file.size());
  DeviceArray<std::uint8_t> embedding(file);
  DeviceArray<std::int32_t> ids(std::vector<std::int32_t>{-1, 1, std::numeric_limits<std::int32_t>::min()});
  DeviceArray<float> x(std::size_t{3 * 8});
  ASSERT_LAUNCHED(RunEmbedRows({.embedding = embedding.get(),
                                .format = WeightFormat::kF32,
                                .rows_total = 2,
                                .width = 8,
                                .token_ids = ids.get(),
                                .previous_picks = nullptr,
                                .previous_count = 0,
                                .rows = 3,
                                .x = x.get()},
                               nullptr));
  std::vector<float> expected(rows.begin(), rows.begin() + 8);
  expected.insert(expected.end(), rows.begin() + 8, rows.end());
  expected.insert(expected.end(), rows.begin(), rows.begin() + 8);
  EXPECT_EQ(x.Read(), expected);
}

TEST_F(RepackEdgeTest, RefusesWhatItCannotRepack) {
  DeviceArray<std::uint8_t> file(std::size_t{4096}), data(std::size_t{4096});
  DeviceArray<float> scales(std::size_t{4});
  const Repack good{.file = file.get(),
                    .from = WeightFormat::kQ8_0,
                    .n = 1,
                    .k = 64,
                    .to = MatrixFormat::kFp8,
                    .data = data.get(),
                    .scales = scales.get()};
  ASSERT_LAUNCHED(RunRepack(good, nullptr));
  const auto refused = [&](auto change) {
    Repack bad = good;
    change(bad);
    EXPECT_REFUSED(RunRepack(bad, nullptr));
  };
  refused([](Repack& repack) { repack.k = 48; });
  refused([](Repack& repack) { repack.k = 0; });
  refused([](Repack& repack) { repack.n = -1; });
  refused([](Repack& repack) { repack.from = WeightFormat::kQ4_K; });  // 64 is no whole block of 256
  refused([](Repack& repack) { repack.file += 1; });
  refused([](Repack& repack) { repack.from = WeightFormat::kF16, repack.file += 8; });
  refused([](Repack& repack) { repack.file = nullptr; });
  refused([&](Repack& repack) { repack.data = data.get() + 8; });
  refused([](Repack& repack) { repack.scales = nullptr; });
  Repack empty = good;
  empty.n = 0, empty.file = nullptr;
  ASSERT_LAUNCHED(RunRepack(empty, nullptr));
}

TEST_F(RepackEdgeTest, RefusesWhatItCannotEmbed) {
  DeviceArray<std::uint8_t> embedding(std::size_t{4096});
  DeviceArray<std::int32_t> ids(std::vector<std::int32_t>{0});
  DeviceArray<float> x(std::size_t{64});
  const EmbedRows good{.embedding = embedding.get(),
                       .format = WeightFormat::kQ8_0,
                       .rows_total = 2,
                       .width = 32,
                       .token_ids = ids.get(),
                       .previous_picks = nullptr,
                       .previous_count = 0,
                       .rows = 1,
                       .x = x.get()};
  ASSERT_LAUNCHED(RunEmbedRows(good, nullptr));
  const auto refused = [&](auto change) {
    EmbedRows bad = good;
    change(bad);
    EXPECT_REFUSED(RunEmbedRows(bad, nullptr));
  };
  refused([](EmbedRows& embed) { embed.width = 40; });
  refused([](EmbedRows& embed) { embed.format = WeightFormat::kF32, embed.width = 12; });
  refused([](EmbedRows& embed) { embed.format = WeightFormat::kF32, embed.embedding += 4; });
  refused([](EmbedRows& embed) { embed.rows = -1; });
  refused([](EmbedRows& embed) { embed.rows_total = 0; });
  refused([](EmbedRows& embed) { embed.token_ids = nullptr; });
  refused([](EmbedRows& embed) { embed.x += 1; });
  refused([](EmbedRows& embed) { embed.token_ids = Misaligned(embed.token_ids); });
  refused([&](EmbedRows& embed) { embed.previous_picks = Misaligned(ids.get()); });
  refused([](EmbedRows& embed) { embed.previous_count = -1; });
  EmbedRows empty = good;
  empty.rows = 0, empty.token_ids = nullptr;
  ASSERT_LAUNCHED(RunEmbedRows(empty, nullptr));
}

}  // namespace
}  // namespace kernels::gpu
