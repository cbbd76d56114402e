#include "kernels/primitives/gpu/aligned.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/quant/dequantize_gpu.h"
#include "kernels/quant/repack_gpu.h"

namespace kernels::gpu {
namespace {

constexpr int kThreads = 128;

// Grid (rows, parts of a row): eight values a thread, so that a single row too is read by many threads at once.
template <WeightFormat kFormat>
__global__ void __launch_bounds__(kThreads) EmbedRowsKernel(EmbedRows embed, std::int64_t row_bytes) {
  const int row = static_cast<int>(blockIdx.x);
  const int first = static_cast<int>(blockIdx.y * kThreads + threadIdx.x) * kLoadedValues;
  LetNextKernelStart();
  WaitForPreviousKernel();
  if (first >= embed.width) return;
  std::int64_t id = embed.token_ids[row];
  const bool picked = embed.previous_picks != nullptr && -1 - id < embed.previous_count;
  if (id < 0) id = picked ? embed.previous_picks[-1 - id] : 0;
  // A pick of -1 stands for no token; an id beyond the rows is a fault of the caller, and reads nothing elsewhere.
  if (id < 0 || id >= embed.rows_total) id = 0;
  float values[kLoadedValues];
  LoadWeights<kFormat>(embed.embedding + id * row_bytes, first, values);
  auto* x = reinterpret_cast<float4*>(embed.x + std::int64_t{row} * embed.width + first);
  x[0] = make_float4(values[0], values[1], values[2], values[3]);
  x[1] = make_float4(values[4], values[5], values[6], values[7]);
}

}  // namespace

LaunchResult RunEmbedRows(const EmbedRows& embed, Stream stream) {
  GPU_REQUIRE(embed.rows >= 0 && embed.rows_total > 0);
  GPU_REQUIRE(embed.width > 0 && embed.width % kLoadedValues == 0 && embed.width <= 65535 * kThreads);
  GPU_REQUIRE(embed.width % BlockOf(embed.format).values == 0);
  if (embed.rows == 0) return LaunchResult::Ok();
  GPU_REQUIRE(embed.embedding != nullptr && embed.token_ids != nullptr && embed.x != nullptr);
  GPU_REQUIRE(Aligned(embed.embedding, AlignmentOf(embed.format)) && Aligned(embed.x, 16));
  GPU_REQUIRE(embed.previous_count >= 0);
  GPU_REQUIRE(Aligned(embed.token_ids, 4) && Aligned(embed.previous_picks, 4));
  const LaunchShape shape{
      .grid = dim3(static_cast<unsigned>(embed.rows), BlocksFor(embed.width, kThreads * kLoadedValues)),
      .block = dim3(kThreads),
      .overlap = true};
  return ForFormat(embed.format, [&]<WeightFormat kFormat>() {
    return Launch(EmbedRowsKernel<kFormat>, shape, stream, embed, RowBytes(kFormat, embed.width));
  });
}

}  // namespace kernels::gpu
