#include "kernels/kvcache/paged_kv_gpu.h"
