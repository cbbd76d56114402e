#include "kernels/sampling/sample_gpu.h"
