#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <vector>

#include "kernels/primitives/gpu/async_copy.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/mma.h"
#include "kernels/primitives/gpu/warp.h"
#include "tests/kernels/gpu/gpu_test.h"

#if defined(GPU_EMULATOR)
namespace kernels::gpu {
namespace {

class EmulatorTest : public GpuTest {};

void SumBlocks(const float* x, float* y) {
  GPU_SHARED float scratch[32];
  const float sum = BlockSum<256>(x[blockIdx.x * 256 + threadIdx.x], scratch);
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

TEST_F(EmulatorTest, SumsABlock) {
  std::vector<float> x(512);
  std::iota(x.begin(), x.end(), 0.0F);
  DeviceArray<float> in(x), out(2);
  ForEachSchedule([&] {
    ASSERT_LAUNCHED(Launch(SumBlocks, {.grid = 2, .block = 256}, nullptr, in.get(), out.get()));
    EXPECT_EQ(out.Read(), (std::vector<float>{255 * 128, 255 * 128 + 65536}));
  });
}

// One warp: D [16][8] += A [16][16] B [16][8], A by ldmatrix, B row-major by the transposed ldmatrix, two of its four
// matrices.
void Product(const Bf16* a, const Bf16* b, float* d) {
  auto* tile_a = reinterpret_cast<Bf16*>(DynamicShared());
  auto* tile_b = tile_a + 16 * 16;
  const unsigned lane = threadIdx.x;
  CopyAsync16(tile_a + lane * 8, a + lane * 8);
  if (lane < 16) CopyAsync16(tile_b + lane * 8, b + lane * 8);
  CopyAsyncCommit();
  CopyAsyncWait<0>();
  __syncthreads();
  std::uint32_t fragments_a[4], fragments_b[4];
  LoadMatrix4(fragments_a, tile_a + lane % 16 * 16 + lane / 16 * 8);
  LoadMatrix4Transposed(fragments_b, tile_b + lane % 16 * 8);
  float sums[4] = {};
  MmaBf16(sums, fragments_a, {fragments_b[0], fragments_b[1]});
  for (unsigned i = 0; i < 4; ++i) d[(lane / 4 + i / 2 * 8) * 8 + 2 * (lane % 4) + i % 2] = sums[i];
}

TEST_F(EmulatorTest, MatrixInstructionsComputeAPlainProduct) {
  const std::vector<Bf16> a = ToBf16s(Random(16 * 16)), b = ToBf16s(Random(16 * 8));
  DeviceArray<Bf16> in_a(a), in_b(b);
  DeviceArray<float> out(16 * 8);
  ASSERT_LAUNCHED(Launch(Product, {.grid = 1, .block = 32, .shared_bytes = 16 * 16 * 2 + 16 * 8 * 2}, nullptr,
                         in_a.get(), in_b.get(), out.get()));
  const std::vector<float> d = out.Read();
  for (std::size_t row = 0; row < 16; ++row) {
    for (std::size_t column = 0; column < 8; ++column) {
      double sum = 0;
      for (std::size_t k = 0; k < 16; ++k) sum += double{ToFloat(a[row * 16 + k])} * ToFloat(b[k * 8 + column]);
      EXPECT_NEAR(d[row * 8 + column], sum, 1e-5) << row << ", " << column;
    }
  }
}

}  // namespace
}  // namespace kernels::gpu
#endif  // GPU_EMULATOR
