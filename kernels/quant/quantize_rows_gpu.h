#pragma once

#include <cstdint>

#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// Rows of activations as the products of FP8 matrices take them where nothing before can round them: attention computes
// a row in several blocks, none of which knows its largest value.
//   x     : [rows][width]
//   y     : [rows][width] with scales [rows]: x = y * scale, scale = max |x| / 448; a row of zeros has scale 1
// NaN stays NaN, in its own place alone. REQUIRES: width a multiple of 8, up to 32,768; 16-byte aligned pointers.
struct QuantizeFp8Rows {
  const Bf16* x;
  std::int32_t rows, width;
  Fp8* y;
  float* scales;
};
LaunchResult RunQuantizeRows(const QuantizeFp8Rows& quantize, Stream stream);

}  // namespace kernels::gpu
