#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {

void BenchBlockCopy(Bench&) {}

}  // namespace kernels::gpu
