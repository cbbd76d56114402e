#pragma once

#include <cstdint>

#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// Fill device memory with random numbers at the speed of its writes: inputs of benchmarks and stand-ins for weights.
// The same seed and count give the same values on every device. `x` is aligned to 16 bytes.
//   normals : sum of four uniform numbers, scaled to the wanted standard deviation: within 3.5 of it, never NaN
LaunchResult FillRandomBf16(Bf16* x, std::int64_t count, float scale, std::uint64_t seed, Stream stream);
LaunchResult FillRandomFloats(float* x, std::int64_t count, float scale, std::uint64_t seed, Stream stream);
LaunchResult FillRandomBytes(void* x, std::int64_t bytes, std::uint64_t seed, Stream stream);

}  // namespace kernels::gpu
