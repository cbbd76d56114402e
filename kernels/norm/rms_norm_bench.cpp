#include <algorithm>
#include <string>
#include <vector>

#include "kernels/norm/rms_norm_gpu.h"
#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {
namespace {

struct Shape {
  std::int32_t rows, width;
  bool delta, fp8;

  // Each input read once, each output written once.
  double bytes() const {
    const int of_value = 4 + (delta ? 2 + 4 : 0) + (fp8 ? 1 : 2);
    return 1.0 * rows * width * of_value + 4.0 * width + (fp8 ? 4.0 * rows : 0.0);
  }
  std::string text() const {
    return std::to_string(rows) + " x " + std::to_string(width) + (delta ? " delta" : "") + (fp8 ? " FP8" : " BF16");
  }
};

std::vector<RmsNorm> MakeSets(Bench& bench, const Shape& shape, int sets) {
  const std::int64_t count = std::int64_t{shape.rows} * shape.width;
  const auto* weight = static_cast<const float*>(bench.RandomFloats(shape.width));
  std::vector<RmsNorm> norms;
  for (int i = 0; i < sets; ++i) {
    norms.push_back({.x = static_cast<float*>(bench.RandomFloats(count)),
                     .delta = shape.delta ? static_cast<const Bf16*>(bench.RandomBf16(count)) : nullptr,
                     .weight = weight,
                     .eps = 1e-5F,
                     .rows = shape.rows,
                     .width = shape.width,
                     .row_ids = nullptr,
                     .rows_total = 0,
                     .y_bf16 = shape.fp8 ? nullptr : static_cast<Bf16*>(bench.Zeros(count * 2)),
                     .y_fp8 = shape.fp8 ? static_cast<Fp8*>(bench.Zeros(count)) : nullptr,
                     .y_scales = shape.fp8 ? static_cast<float*>(bench.Zeros(shape.rows * std::int64_t{4})) : nullptr});
  }
  return norms;
}

// The default cut first, named without it.
void TimeShape(Bench& bench, const Shape& shape, const std::vector<RmsNormCut>& others) {
  // Many rows: buffers of four times the L2 cache in all. Few rows: what the product before has left in L2.
  const bool many = shape.rows > 64;
  const double wanted = 4.0 * static_cast<double>(bench.device().l2_bytes);
  const int sets = many ? std::clamp(static_cast<int>(wanted / shape.bytes()) + 1, 2, 20) : 1;
  const std::vector<RmsNorm> norms = MakeSets(bench, shape, sets);
  const auto time_cut = [&](const std::string& op, RmsNormCut cut) {
    const double seconds = bench.Time(
        [&](int i) { return RunRmsNorm(norms[static_cast<std::size_t>(i) % norms.size()], cut, bench.stream()); });
    bench.Row(op, shape.text(), seconds, many ? shape.bytes() : 0.0, 0.0);
  };
  time_cut("rms_norm", DefaultCut(shape.width));
  for (const RmsNormCut& cut : others) {
    time_cut("rms_norm team=" + std::to_string(cut.team) + " rows=" + std::to_string(cut.rows_of_team), cut);
  }
  bench.FreeAll();
}

}  // namespace

void BenchRmsNorm(Bench& bench) {
  const std::vector<RmsNormCut> wide_cuts = {{128, 1}, {256, 2}, {256, 4}, {512, 1}, {512, 4}, {1024, 1}};
  for (const bool delta : {true, false}) {
    for (const bool fp8 : {false, true}) {
      TimeShape(bench, {4096, 4096, delta, fp8}, delta && !bench.quick() ? wide_cuts : std::vector<RmsNormCut>{});
      TimeShape(bench, {4096, 576, delta, fp8},
                delta ? std::vector<RmsNormCut>{{32, 2}, {256, 1}} : std::vector<RmsNormCut>{});
    }
  }
  // The same narrow rows without the share of a kernel's start and end: 4,096 of them take a few microseconds.
  TimeShape(bench, {65536, 576, true, false}, {{32, 2}, {32, 8}});
  for (const std::int32_t rows : {1, 16, 64}) {
    TimeShape(bench, {rows, 4096, true, false}, {{512, 1}, {1024, 1}});
    TimeShape(bench, {rows, 4096, true, true}, {});
    TimeShape(bench, {rows, 576, true, false}, {{256, 1}});
  }
}

}  // namespace kernels::gpu
