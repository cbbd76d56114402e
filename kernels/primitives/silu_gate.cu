#include "kernels/primitives/silu_gate_gpu.h"
