#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {

void BenchSiluGate(Bench&) {}

}  // namespace kernels::gpu
