#pragma once

#include "kernels/attention/paged_attention_simd.h"
#include "kernels/gemm/bf16_gemm_simd.h"
#include "kernels/gemm/gemm_simd.h"
#include "kernels/gemm/packed_gemm_simd.h"
#include "kernels/kvcache/store_kv_simd.h"
#include "kernels/norm/rms_norm_simd.h"
#include "kernels/primitives/cpu_kernels.h"
#include "kernels/primitives/dot_rounds_simd.h"
#include "kernels/primitives/gated_unit_simd.h"
#include "kernels/quant/dequantize_simd.h"
#include "kernels/quant/quantize_rows_simd.h"
#include "kernels/rope/rope_simd.h"

namespace kernels {

// The table of one vector target. Included only by the files that are compiled with a target's flags, so nothing here
// or below may use inline functions of the standard library: the linker might keep their wide-vector copy for everyone.
template <class S>
constexpr CpuKernels KernelsOfTarget(const char* name) {
  return {
      .name = name,
      .dequantize_row = &DequantizeRow<S>,
      .gemm_columns = &GemmColumns<S>,
      .quantize_row = &QuantizeRow<S>,
      .packed_gemm_tile = &PackedGemmTile<S>,
      .bf16_gemm_tile = &Bf16GemmTile<S>,
      .dot_rounds = &DotRounds<S>,
      .dot_round_operations = kDotRoundOperations<S>,
      .rms_norm = &RmsNorm<S>,
      .rope_row = &RopeRow<S>,
      .swiglu = &SwiGlu<S>,
      .geglu = &GeGlu<S>,
      .store_kv = &StoreKv<S>,
      .paged_attention = &PagedAttend<S>,
      .attention_span = &AttendSpan<S>,
      .join_spans = &JoinSpans<S>,
  };
}

}  // namespace kernels
