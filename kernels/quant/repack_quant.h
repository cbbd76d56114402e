#pragma once

#include "kernels/quant/repack_gpu.h"

namespace kernels::gpu {

// The quantised part of repack_gpu.h; quant_layout.h states the layout. RunRepack has checked the pointers.
RepackedBytes BytesOfQuantMatrix(MatrixFormat to, std::int32_t n, std::int32_t k);
// REQUIRES: from and to are namesakes
LaunchResult RunRepackQuant(const Repack& repack, Stream stream);

}  // namespace kernels::gpu
