#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {

void BenchRopeStore(Bench&) {}

}  // namespace kernels::gpu
