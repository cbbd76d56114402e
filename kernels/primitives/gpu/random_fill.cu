#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/random_fill_gpu.h"

namespace kernels::gpu {
namespace {

constexpr unsigned kThreads = 256;
constexpr std::int64_t kBlocksMax = 4096;  // a few waves of any card; threads stride over the rest

// The number-th value of splitmix64 (Steele, Lea, Flood 2014): no state, so each thread makes its own.
__device__ __forceinline__ std::uint64_t RandomBits(std::uint64_t seed, std::uint64_t number) {
  std::uint64_t z = seed + (number + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

// The sum of four uniform numbers has variance 4 / 12; `scale` times sqrt(3) / 2^16 makes its deviation `scale`.
__device__ __forceinline__ float Normal(std::uint64_t bits, float scale) {
  const int sum = static_cast<int>(bits & 0xFFFFU) + static_cast<int>(bits >> 16 & 0xFFFFU) +
                  static_cast<int>(bits >> 32 & 0xFFFFU) + static_cast<int>(bits >> 48);
  return static_cast<float>(sum - 2 * 0xFFFF) * (scale * (1.7320508F / 65536.0F));
}

struct Bf16Values {
  static constexpr int kOf16Bytes = 8;
  float scale;
  __device__ __forceinline__ uint4 Make(std::uint64_t seed, std::uint64_t first) const {
    std::uint32_t words[4];
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) {
      words[i] =
          PackBf16(Normal(RandomBits(seed, first + 2 * i), scale), Normal(RandomBits(seed, first + 2 * i + 1), scale));
    }
    return make_uint4(words[0], words[1], words[2], words[3]);
  }
};
struct FloatValues {
  static constexpr int kOf16Bytes = 4;
  float scale;
  __device__ __forceinline__ uint4 Make(std::uint64_t seed, std::uint64_t first) const {
    std::uint32_t words[4];
#pragma unroll
    for (unsigned i = 0; i < 4; ++i) words[i] = FloatToBits(Normal(RandomBits(seed, first + i), scale));
    return make_uint4(words[0], words[1], words[2], words[3]);
  }
};
struct ByteValues {
  static constexpr int kOf16Bytes = 16;
  __device__ __forceinline__ uint4 Make(std::uint64_t seed, std::uint64_t first) const {
    const std::uint64_t low = RandomBits(seed, first / 8), high = RandomBits(seed, first / 8 + 1);
    return make_uint4(static_cast<unsigned>(low), static_cast<unsigned>(low >> 32), static_cast<unsigned>(high),
                      static_cast<unsigned>(high >> 32));
  }
};

//   x : [bytes], 16 a step; what is left at the end byte by byte
template <typename Values>
__global__ void __launch_bounds__(kThreads)
    FillKernel(unsigned char* x, std::int64_t bytes, Values values, std::uint64_t seed) {
  const std::int64_t stride = std::int64_t{gridDim.x} * kThreads * 16;
  for (std::int64_t at = (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) * 16; at < bytes; at += stride) {
    const uint4 made = values.Make(seed, static_cast<std::uint64_t>(at / 16 * Values::kOf16Bytes));
    if (at + 16 <= bytes) {
      *reinterpret_cast<uint4*>(x + at) = made;
    } else {
      const auto* from = reinterpret_cast<const unsigned char*>(&made);
      for (int i = 0; i < static_cast<int>(bytes - at); ++i) x[at + i] = from[i];
    }
  }
}

template <typename Values>
LaunchResult RunFill(void* x, std::int64_t bytes, Values values, std::uint64_t seed, Stream stream) {
  GPU_REQUIRE(bytes >= 0);
  if (bytes == 0) return LaunchResult::Ok();
  GPU_REQUIRE(reinterpret_cast<std::uintptr_t>(x) % 16 == 0);
  const std::int64_t blocks = (bytes + kThreads * 16 - 1) / (kThreads * 16);
  return Launch(FillKernel<Values>,
                {.grid = static_cast<unsigned>(blocks < kBlocksMax ? blocks : kBlocksMax), .block = kThreads}, stream,
                static_cast<unsigned char*>(x), bytes, values, seed);
}

}  // namespace

LaunchResult FillRandomBf16(Bf16* x, std::int64_t count, float scale, std::uint64_t seed, Stream stream) {
  return RunFill(x, count * 2, Bf16Values{scale}, seed, stream);
}
LaunchResult FillRandomFloats(float* x, std::int64_t count, float scale, std::uint64_t seed, Stream stream) {
  return RunFill(x, count * 4, FloatValues{scale}, seed, stream);
}
LaunchResult FillRandomBytes(void* x, std::int64_t bytes, std::uint64_t seed, Stream stream) {
  return RunFill(x, bytes, ByteValues{}, seed, stream);
}

}  // namespace kernels::gpu
