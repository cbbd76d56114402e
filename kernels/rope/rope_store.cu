#include "kernels/rope/rope_store_gpu.h"
