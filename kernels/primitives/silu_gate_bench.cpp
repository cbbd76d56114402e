#include <algorithm>
#include <string>
#include <vector>

#include "kernels/primitives/gpu/bench.h"
#include "kernels/primitives/silu_gate_gpu.h"

namespace kernels::gpu {
namespace {

void TimeShape(Bench& bench, std::int32_t rows, std::int32_t width, bool fp8,
               const std::vector<std::int32_t>& other_chunks) {
  const std::int64_t count = std::int64_t{rows} * width;
  const double bytes = static_cast<double>(count) * (4 + (fp8 ? 1 : 2)) + (fp8 ? 4.0 * rows : 0.0);
  // Many rows: buffers of four times the L2 cache in all. Few rows: what the product before has left in L2.
  const bool many = rows > 64;
  const double wanted = 4.0 * static_cast<double>(bench.device().l2_bytes);
  const int sets = many ? std::clamp(static_cast<int>(wanted / bytes) + 1, 2, 20) : 1;
  std::vector<SiluGate> gates;
  for (int i = 0; i < sets; ++i) {
    gates.push_back({.gate_up = static_cast<const Bf16*>(bench.RandomBf16(2 * count)),
                     .rows = rows,
                     .width = width,
                     .y_bf16 = fp8 ? nullptr : static_cast<Bf16*>(bench.Zeros(count * 2)),
                     .y_fp8 = fp8 ? static_cast<Fp8*>(bench.Zeros(count)) : nullptr,
                     .y_scales = fp8 ? static_cast<float*>(bench.Zeros(rows * std::int64_t{4})) : nullptr});
  }
  const std::string shape = std::to_string(rows) + " x " + std::to_string(width) + (fp8 ? " FP8" : " BF16");
  const auto time_cut = [&](const std::string& op, std::int32_t chunks) {
    const double seconds = bench.Time(
        [&](int i) { return RunSiluGate(gates[static_cast<std::size_t>(i) % gates.size()], chunks, bench.stream()); });
    bench.Row(op, shape, seconds, many ? bytes : 0.0, 0.0);
  };
  time_cut("silu_gate", DefaultChunksOfThread(gates[0]));
  for (const std::int32_t chunks : other_chunks) time_cut("silu_gate chunks=" + std::to_string(chunks), chunks);
  bench.FreeAll();
}

}  // namespace

void BenchSiluGate(Bench& bench) {
  TimeShape(bench, 4096, 14336, /*fp8=*/false, {2, 4});
  TimeShape(bench, 4096, 14336, /*fp8=*/true, {4, 7});
  TimeShape(bench, 4096, 1536, /*fp8=*/false, {});
  for (const std::int32_t rows : {1, 16, 64}) {
    TimeShape(bench, rows, 14336, /*fp8=*/false, {2});
    TimeShape(bench, rows, 14336, /*fp8=*/true, {4});
    TimeShape(bench, rows, 1536, /*fp8=*/false, {});
  }
}

}  // namespace kernels::gpu
