#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {

void BenchSample(Bench&) {}

}  // namespace kernels::gpu
