#pragma once

#include "kernels/attention/prefill_attention_gpu.h"

namespace kernels::gpu {

// The prefill kernel on Hopper's warpgroup matrix instructions; private to this folder.

// Whether the current card and the attention's shape allow it.
bool HopperPrefillRuns(const PrefillAttention& attention);

// REQUIRES: HopperPrefillRuns, and what RunPrefillAttention checks. `ping_pong`: the warpgroups take turns on the
// tensor cores, so that the softmax of one runs under the products of the other.
LaunchResult RunHopperPrefill(const PrefillAttention& attention, bool ping_pong, Stream stream);

}  // namespace kernels::gpu
