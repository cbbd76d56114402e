#include "kernels/attention/decode_attention_gpu.h"
