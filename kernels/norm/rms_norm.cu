#include "kernels/norm/rms_norm_gpu.h"
