#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {

void BenchPrefillAttention(Bench&) {}

}  // namespace kernels::gpu
