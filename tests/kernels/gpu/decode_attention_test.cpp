#include "tests/kernels/gpu/gpu_test.h"
