#include "kernels/gemm/gemm_gpu.h"
