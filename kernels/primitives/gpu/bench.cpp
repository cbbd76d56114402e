#include "kernels/primitives/gpu/bench.h"
