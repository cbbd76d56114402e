#pragma once

#include <cstddef>

#include "kernels/gemm/gemm_gpu.h"

namespace kernels::gpu {

// cuBLASLt, opened at run time: a binary starts without it, and the library's half gigabyte is read only where products
// of many rows are computed. CUDA builds alone.
//
// Looked for as libcublasLt.so.13 on the loader's path (LD_LIBRARY_PATH), then in the toolkit that the binary was built
// with. One CublasLt for each stream that computes, used by one thread at a time: it remembers the algorithm of each
// shape that came by.
class CublasLt;

// Fails where there is no such library, where it lacks a function or does not start; the message says which. The caller
// can do without.
LaunchResult OpenCublasLt(CublasLt** library);
void CloseCublasLt(CublasLt* library);

// The product as RunGemm states it, for BF16 with BF16 and FP8 with FP8. `workspace` of `bytes` in device memory
// belongs to the product until it has run. Refused: the library has no algorithm for this shape and these formats on
// this card.
LaunchResult RunCublasLt(CublasLt* library, const Gemm& gemm, void* workspace, std::size_t bytes, Stream stream);

}  // namespace kernels::gpu
