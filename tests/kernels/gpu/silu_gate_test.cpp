#include "kernels/primitives/silu_gate_gpu.h"

#include <cmath>
#include <limits>
#include <string>

#include "tests/kernels/gpu/gpu_test.h"

namespace kernels::gpu {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Output {
  std::vector<float> y;  // widened and, if FP8, scaled
  std::vector<float> scales;
};

class SiluGateTest : public GpuTest {
 protected:
  // chunks_of_thread 0: the default.
  static Output Run(const std::vector<Bf16>& gate_up, std::int32_t rows, std::int32_t width, bool fp8,
                    std::int32_t chunks_of_thread = 0) {
    const std::size_t count = std::size_t(rows) * width;
    DeviceArray<Bf16> input(gate_up), y_bf16(count);
    DeviceArray<Fp8> y_fp8(count);
    DeviceArray<float> scales(rows);
    const SiluGate gate{.gate_up = input.get(),
                        .rows = rows,
                        .width = width,
                        .y_bf16 = fp8 ? nullptr : y_bf16.get(),
                        .y_fp8 = fp8 ? y_fp8.get() : nullptr,
                        .y_scales = fp8 ? scales.get() : nullptr};
    const LaunchResult result =
        chunks_of_thread == 0 ? RunSiluGate(gate, nullptr) : RunSiluGate(gate, chunks_of_thread, nullptr);
    EXPECT_TRUE(result.ok()) << result.message();
    Output output{.y = {}, .scales = scales.Read()};
    if (!fp8) {
      output.y = ToFloats(y_bf16.Read());
    } else {
      for (const Fp8 value : y_fp8.Read()) output.y.push_back(ToFloat(value) * output.scales[output.y.size() / width]);
    }
    return output;
  }

  // Bounds: BF16 rounds by 2^-9 of a value, FP8 by 2^-4 of it or, below 2^-6 of the scale, by 2^-10 of the scale.
  static void ExpectMatches(const std::vector<Bf16>& gate_up, std::int32_t rows, std::int32_t width, bool fp8,
                            const Output& output, const std::string& what) {
    for (std::int32_t row = 0; row < rows; ++row) {
      std::vector<double> expected(width);
      double largest = 0;
      for (std::int32_t i = 0; i < width; ++i) {
        const std::size_t at = std::size_t(row) * 2 * width + i;
        const double gate = ToFloat(gate_up[at]), up = ToFloat(gate_up[at + width]);
        expected[i] = gate / (1 + std::exp(-gate)) * up;
        largest = std::max(largest, std::abs(expected[i]));
      }
      if (fp8) {
        ASSERT_NEAR(output.scales[row], largest / 448, largest * 1e-7) << what;
      }
      for (std::int32_t i = 0; i < width; ++i) {
        const double bound = fp8 ? std::abs(expected[i]) * 0x1.02p-4 + largest / 448 * 0x1.02p-10
                                 : std::abs(expected[i]) * 0x1.02p-8 + 1e-35;
        ASSERT_NEAR(output.y[std::size_t(row) * width + i], expected[i], bound)
            << what << ": row " << row << " column " << i;
      }
    }
  }
};

TEST_F(SiluGateTest, SameBitsUnderEverySchedule) {
  for (const auto& [width, chunks] : {std::pair{64, 1}, {2056, 1}, {2056, 4}, {8200, 1}}) {
    const std::vector<Bf16> gate_up = ToBf16s(Random(std::size_t(3) * 2 * width, 3.0F));
    for (const bool fp8 : {false, true}) {
      const Output expected = Run(gate_up, 3, width, fp8, chunks);
      ExpectMatches(gate_up, 3, width, fp8, expected, "in the usual order");
      ForEachSchedule([&] {
        const Output output = Run(gate_up, 3, width, fp8, chunks);
        EXPECT_EQ(output.y, expected.y);
        if (fp8) {
          EXPECT_EQ(output.scales, expected.scales);
        }
      });
    }
  }
}

TEST_F(SiluGateTest, MatchesThePlainFormulaForEveryWidth) {
  for (const std::int32_t width : {8, 64, 1536, 2056, 4096, 8200, 14336, 16392, 32776}) {
    const std::int32_t rows = width <= 2056 ? 5 : 2;
    const std::vector<Bf16> gate_up = ToBf16s(Random(std::size_t(rows) * 2 * width, 3.0F));
    for (const bool fp8 : {false, true}) {
      const Output output = Run(gate_up, rows, width, fp8);
      ExpectMatches(gate_up, rows, width, fp8, output, "width " + std::to_string(width) + (fp8 ? " FP8" : " BF16"));
    }
  }
}

TEST_F(SiluGateTest, EveryCutMatches) {
  const std::int32_t rows = 3, width = 2056;
  const std::vector<Bf16> gate_up = ToBf16s(Random(std::size_t(rows) * 2 * width));
  for (const std::int32_t chunks : {1, 2, 4, 7}) {
    for (const bool fp8 : {false, true}) {
      if (chunks == 7 && !fp8) continue;
      ExpectMatches(gate_up, rows, width, fp8, Run(gate_up, rows, width, fp8, chunks),
                    "chunks " + std::to_string(chunks));
    }
  }
}

TEST_F(SiluGateTest, LargeGatesSaturateWithoutNan) {
  std::vector<float> values(2 * 8, 2.0F);
  const std::vector<float> gates = {0.0F, -0.0F, 100.0F, -20.0F, -87.0F, -88.5F, -1e4F, 3e30F};
  std::copy(gates.begin(), gates.end(), values.begin());
  const std::vector<Bf16> gate_up = ToBf16s(values);
  ExpectMatches(gate_up, 1, 8, false, Run(gate_up, 1, 8, false), "large gates");
}

TEST_F(SiluGateTest, NanStaysInItsRow) {
  const std::int32_t rows = 4, width = 72;
  for (const std::int32_t half : {0, 1}) {
    std::vector<float> values = Random(std::size_t(rows) * 2 * width);
    values[2 * width + half * width + 9] = kNan;  // row 1
    for (const bool fp8 : {false, true}) {
      const Output output = Run(ToBf16s(values), rows, width, fp8);
      for (std::size_t i = 0; i < output.y.size(); ++i) ASSERT_EQ(std::isnan(output.y[i]), i == width + 9U) << i;
    }
  }
}

TEST_F(SiluGateTest, RowHasTheSameBitsAloneAndInCompany) {
  const std::int32_t rows = 3, width = 1544;
  const std::vector<Bf16> gate_up = ToBf16s(Random(std::size_t(rows) * 2 * width));
  for (const bool fp8 : {false, true}) {
    const Output all = Run(gate_up, rows, width, fp8);
    const Output one = Run({gate_up.begin() + 2 * width, gate_up.begin() + 4 * width}, 1, width, fp8);
    EXPECT_EQ(one.y, std::vector<float>(all.y.begin() + width, all.y.begin() + 2 * width));
  }
}

TEST_F(SiluGateTest, RefusesWhatItCannotCompute) {
  DeviceArray<Bf16> input(std::size_t{128}), y(std::size_t{64});
  DeviceArray<Fp8> y_fp8(std::size_t{64});
  DeviceArray<float> scales(std::size_t{4});
  const SiluGate good{
      .gate_up = input.get(), .rows = 1, .width = 32, .y_bf16 = y.get(), .y_fp8 = nullptr, .y_scales = nullptr};
  ASSERT_LAUNCHED(RunSiluGate(good, nullptr));
  const auto refused = [&](auto change) {
    SiluGate bad = good;
    change(bad);
    EXPECT_REFUSED(RunSiluGate(bad, nullptr));
  };
  refused([](SiluGate& gate) { gate.width = 36; });
  refused([](SiluGate& gate) { gate.width = 0; });
  refused([](SiluGate& gate) { gate.rows = -1; });
  refused([](SiluGate& gate) { gate.gate_up = nullptr; });
  refused([](SiluGate& gate) { gate.gate_up += 1; });
  refused([](SiluGate& gate) { gate.y_bf16 += 1; });
  refused([](SiluGate& gate) { gate.y_bf16 = nullptr; });
  refused([&](SiluGate& gate) { gate.y_fp8 = y_fp8.get(), gate.y_scales = scales.get(); });
  refused([&](SiluGate& gate) { gate.y_bf16 = nullptr, gate.y_fp8 = y_fp8.get(); });
  refused([&](SiluGate& gate) {
    gate.y_bf16 = nullptr, gate.y_fp8 = y_fp8.get(), gate.y_scales = Misaligned(scales.get());
  });
  EXPECT_REFUSED(RunSiluGate(good, 3, nullptr));
}

TEST_F(SiluGateTest, NoRowsIsNoWork) {
  DeviceArray<Bf16> input(std::size_t{64}), y(std::size_t{32});
  ASSERT_LAUNCHED(RunSiluGate(
      {.gate_up = input.get(), .rows = 0, .width = 32, .y_bf16 = y.get(), .y_fp8 = nullptr, .y_scales = nullptr},
      nullptr));
  for (const Bf16 value : y.Read()) EXPECT_EQ(value.bits, 0xFFFF);
}

}  // namespace
}  // namespace kernels::gpu
