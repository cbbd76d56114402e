// Goal: what quant_layout.h states is what lies in device memory.
// Method: random rows of every quantised format are repacked, and each value is taken apart again as the header says.
#include "kernels/quant/quant_layout.h"
#include "tests/kernels/gpu/quant_rows.h"

namespace kernels::gpu {
namespace {

class RepackQuantTest : public GpuTest {};

template <typename T>
T LoadAs(const std::vector<std::uint8_t>& bytes, std::int64_t at) {
  T value;
  EXPECT_LE(at + static_cast<std::int64_t>(sizeof(T)), static_cast<std::int64_t>(bytes.size()));
  __builtin_memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

struct Unpacker {
  MatrixFormat format;
  std::int64_t cells_k;
  std::vector<std::uint8_t> data, scales;

  int Nibble(std::int64_t row, std::int64_t k, int plane) const {
    const auto in_row = static_cast<int>(row % 32), in_k = static_cast<int>(k % 32);
    const int tile = in_row / 16, group = in_row % 8, pair = in_k / 8, half = in_k / 4 % 2;
    const int nibble = in_row / 8 % 2 + 2 * (in_k / 2 % 2) + 4 * (in_k % 2);
    const std::int64_t cell = row / 32 * cells_k + k / 32;
    const std::int64_t at = ((cell * PlanesOf(format) + plane) * 32 + 4 * group + pair) * 16 + (2 * tile + half) * 4;
    const auto word = LoadAs<std::uint32_t>(data, at);
    const int bit = (3 + 4 * nibble) % 32;
    const std::uint64_t twice = std::uint64_t{word} << 32 | word;
    return static_cast<int>(twice >> bit & 0xF);
  }
  float Half(std::int64_t at) const { return HalfToFloat(LoadAs<std::uint16_t>(scales, at)); }

  float Value(std::int64_t row, std::int64_t k) const {
    const std::int64_t cell = row / 32 * cells_k + k / 32, group = row % 8, entry = row % 32 / 8;
    const auto low = static_cast<float>(Nibble(row, k, 0));
    switch (format) {
      case MatrixFormat::kQ8_0:
        return Half(cell * 64 + group * 8 + entry * 2) * (16.0F * static_cast<float>(Nibble(row, k, 1) - 8) + low);
      case MatrixFormat::kQ4_0:
        return Half(cell * 64 + group * 8 + entry * 2) * (low - 8.0F);
      case MatrixFormat::kQ4_1: {
        const std::int64_t at = cell * 128 + group * 16 + entry * 4;
        return Half(at) * low + Half(at + 2);
      }
      default: {
        const std::int64_t record = (row / 32 * (cells_k / 8) + k / 256) * 640,
                           six_bits = record + k / 32 % 8 * 64 + group * 8;
        const std::int64_t pair = record + 512 + group * 16 + entry * 4;
        const float scale = Half(pair) * static_cast<float>(LoadAs<std::uint8_t>(scales, six_bits + entry));
        return scale * low - Half(pair + 2) * static_cast<float>(LoadAs<std::uint8_t>(scales, six_bits + 4 + entry));
      }
    }
  }
};

TEST_F(RepackQuantTest, EveryValueIsWhereTheLayoutSays) {
  for (MatrixFormat format : kQuantFormats) {
    SCOPED_TRACE(testing::Message() << "format " << static_cast<int>(format));
    const std::int32_t n = 72, k = format == MatrixFormat::kQ4_K ? 512 : 160;
    const QuantMatrix weights(format, n, k, RandomFileRows(format, n, k, rng_));
    const Unpacker unpacker{format, k / 32, weights.data.Read(), weights.scales.Read()};
    for (std::int64_t row = 0; row < 96; ++row) {
      for (std::int64_t i = 0; i < k; ++i) {
        const float expected = row < n ? weights.values[static_cast<std::size_t>(row * k + i)] : 0.0F;  // padding
        ASSERT_EQ(unpacker.Value(row, i), expected) << row << ", " << i;
      }
    }
  }
}

TEST_F(RepackQuantTest, SameBytesUnderEverySchedule) {
  for (MatrixFormat format : kQuantFormats) {
    const std::vector<std::uint8_t> rows = RandomFileRows(format, 40, 512, rng_);
    const QuantMatrix expected(format, 40, 512, rows);
    ForEachSchedule([&] {
      const QuantMatrix weights(format, 40, 512, rows);
      EXPECT_EQ(weights.data.Read(), expected.data.Read()) << "format " << static_cast<int>(format);
      EXPECT_EQ(weights.scales.Read(), expected.scales.Read()) << "format " << static_cast<int>(format);
    });
  }
}

TEST_F(RepackQuantTest, BytesAreThoseOfTheFileRoundedUpToCells) {
  EXPECT_EQ(BytesOfMatrix(MatrixFormat::kQ4_0, 4096, 4096).data, 4096LL * 4096 / 2);
  EXPECT_EQ(BytesOfMatrix(MatrixFormat::kQ4_0, 4096, 4096).scales, 4096LL * 128 * 2);
  EXPECT_EQ(BytesOfMatrix(MatrixFormat::kQ4_1, 4096, 4096).scales, 4096LL * 128 * 4);
  EXPECT_EQ(BytesOfMatrix(MatrixFormat::kQ4_K, 4096, 4096).scales, 4096LL * 16 * 20);
  EXPECT_EQ(BytesOfMatrix(MatrixFormat::kQ8_0, 4096, 4096).data, 4096LL * 4096);
  EXPECT_EQ(BytesOfMatrix(MatrixFormat::kQ8_0, 8, 32).data, 1024);
  EXPECT_EQ(BytesOfMatrix(MatrixFormat::kQ4_1, 0, 32).data, 0);
  EXPECT_EQ(BytesOfMatrix(MatrixFormat::kQ4_0, 200'000, 65'536).data, 200'000LL * 32'768);
}

TEST_F(RepackQuantTest, RefusesWhatCannotBe) {
  DeviceArray<std::uint8_t> file(4096), data(4096), scales(4096);
  Repack repack{file.get(), WeightFormat::kQ4_0, 8, 32, MatrixFormat::kQ4_0, data.get(), scales.get()};
  EXPECT_TRUE(RunRepack(repack, nullptr).ok());
  repack.to = MatrixFormat::kQ4_1;  // only its namesake
  EXPECT_REFUSED(RunRepack(repack, nullptr));
  repack = {file.get(), WeightFormat::kQ4_K, 8, 288, MatrixFormat::kQ4_K, data.get(), scales.get()};
  EXPECT_REFUSED(RunRepack(repack, nullptr));  // not whole super-blocks
  repack = {file.get() + 1, WeightFormat::kQ4_0, 8, 32, MatrixFormat::kQ4_0, data.get(), scales.get()};
  EXPECT_REFUSED(RunRepack(repack, nullptr));
  repack = {file.get(), WeightFormat::kQ4_0, 8, 32, MatrixFormat::kQ4_0, data.get(), nullptr};
  EXPECT_REFUSED(RunRepack(repack, nullptr));
  repack = {nullptr, WeightFormat::kQ4_0, 0, 32, MatrixFormat::kQ4_0, nullptr, nullptr};
  EXPECT_TRUE(RunRepack(repack, nullptr).ok());
  EXPECT_TRUE(Synchronize(Stream{nullptr}).ok());
}

}  // namespace
}  // namespace kernels::gpu
