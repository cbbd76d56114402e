#include "kernels/primitives/gpu/runtime.h"
