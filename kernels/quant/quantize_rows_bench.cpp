#include "kernels/quant/quantize_rows_gpu.h"

#include <string>

#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {

// One buffer: x comes from the kernel before and lies in L2, as in a step.
void BenchQuantizeRows(Bench& bench) {
  constexpr std::int32_t kWidth = 4096;
  for (const std::int32_t rows : {128, 2048}) {
    const std::int64_t count = std::int64_t{rows} * kWidth;
    const QuantizeFp8Rows quantize{.x = static_cast<const Bf16*>(bench.RandomBf16(count)),
                                   .rows = rows,
                                   .width = kWidth,
                                   .y = static_cast<Fp8*>(bench.Zeros(count)),
                                   .scales = static_cast<float*>(bench.Zeros(rows * std::int64_t{4}))};
    const double seconds = bench.Time([&](int) { return RunQuantizeRows(quantize, bench.stream()); });
    bench.Row("quantize_rows", std::to_string(rows) + " x " + std::to_string(kWidth) + " FP8", seconds, 0.0, 0.0);
    bench.FreeAll();
  }
}

}  // namespace kernels::gpu
