#include "kernels/quant/repack_gpu.h"
