#pragma once

#include "kernels/gemm/gemm_context.h"
#include "kernels/gemm/gemm_gpu.h"
#include "kernels/gemm/quant_plan.h"

namespace kernels::gpu {

// RunGemm for the 4-bit and 8-bit formats of a GGUF file, any number of rows. RunGemm has checked the shapes, the
// alignment and that exactly one output is given; x is BF16.
//
// The kernel begins to read the weights while its predecessors in the stream still run: they must have been complete,
// by a Synchronize, before it is enqueued.
LaunchResult RunQuantGemm(const Gemm& gemm, GemmContext* context, Stream stream);

// The same with a plan of the caller's, for benchmarks and tests. REQUIRES: IsPossible(plan)
LaunchResult RunQuantGemm(const Gemm& gemm, const QuantPlan& plan, GemmContext* context, Stream stream);

}  // namespace kernels::gpu
