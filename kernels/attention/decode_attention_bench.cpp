#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {

void BenchDecodeAttention(Bench&) {}

}  // namespace kernels::gpu
