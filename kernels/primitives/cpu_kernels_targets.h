#pragma once

#include "kernels/primitives/cpu_kernels.h"

namespace kernels {

extern const CpuKernels kPortableKernels;
extern const CpuKernels kAvx2Kernels;
extern const CpuKernels kAvx512Kernels;
extern const CpuKernels kAvx512VnniKernels;

}  // namespace kernels
