#include "kernels/primitives/avx512_target.h"
#include "kernels/primitives/cpu_kernels_targets.h"
#include "kernels/primitives/kernels_of_target.h"

namespace kernels {

const CpuKernels kAvx512Kernels = KernelsOfTarget<Avx512>("avx512");

}  // namespace kernels
