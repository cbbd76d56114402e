#pragma once

#include <cstdint>

#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// y[r][i] = silu(gate[r][i]) * up[r][i] (SwiGLU: Shazeer 2020), rounded to BF16, or to FP8 with one scale a row.
//   gate_up : [rows][2 * width], the gate's half first
//   y_bf16  : [rows][width], or nullptr;  y_fp8 with y_scales [rows]: as in norm/rms_norm_gpu.h, or nullptr
// REQUIRES: width a multiple of 8; 16-byte aligned pointers; exactly one output.
struct SiluGate {
  const Bf16* gate_up;
  std::int32_t rows, width;
  Bf16* y_bf16;
  Fp8* y_fp8;
  float* y_scales;
};
LaunchResult RunSiluGate(const SiluGate& gate, Stream stream);

// With that many chunks of eight values a thread (1, 2, 4; 7 for FP8); the benchmark tries the alternatives to the
// default. No result depends on it.
std::int32_t DefaultChunksOfThread(const SiluGate& gate);
LaunchResult RunSiluGate(const SiluGate& gate, std::int32_t chunks_of_thread, Stream stream);

}  // namespace kernels::gpu
