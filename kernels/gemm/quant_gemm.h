#pragma once

#include "kernels/gemm/gemm_context.h"
#include "kernels/gemm/gemm_gpu.h"

namespace kernels::gpu {

// RunGemm for the 4-bit and 8-bit formats of a GGUF file, any number of rows. RunGemm has checked the shapes, the
// alignment and that exactly one output is given; x is BF16.
LaunchResult RunQuantGemm(const Gemm& gemm, GemmContext* context, Stream stream);

}  // namespace kernels::gpu
