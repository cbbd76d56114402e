#include "kernels/attention/prefill_attention_gpu.h"
