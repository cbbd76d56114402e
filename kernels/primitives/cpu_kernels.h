#pragma once

#include "kernels/attention/paged_attention.h"
#include "kernels/gemm/bf16_gemm.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/packed_gemm.h"
#include "kernels/kvcache/paged_kv.h"
#include "kernels/norm/rms_norm.h"
#include "kernels/primitives/gated_unit.h"
#include "kernels/quant/dequantize.h"
#include "kernels/quant/quantize_rows.h"
#include "kernels/rope/rope.h"

namespace kernels {

// The instruction sets that the vector kernels are compiled for, each in one source file with its own compiler flags.
enum class CpuTarget {
  kReference,   // the plain references; slow, in double where that helps
  kPortable,    // 128-bit vectors that every machine has
  kAvx2,        // AVX2, FMA, F16C (Haswell, 2013)
  kAvx512,      // AVX-512 F, BW, DQ, VL (Skylake-SP, 2017)
  kAvx512Vnni,  // the same with VNNI (Cascade Lake, 2019)
};
inline constexpr CpuTarget kCpuTargets[] = {CpuTarget::kReference, CpuTarget::kPortable, CpuTarget::kAvx2,
                                            CpuTarget::kAvx512, CpuTarget::kAvx512Vnni};

// Multiplies bytes in registers, `rounds` times, and does nothing else: what a target's int8 products can reach at
// most. A round is dot_round_operations operations (a multiplication and its addition are two). Returns a sum, to be
// used.
using DotRoundsFn = std::int64_t(std::int64_t rounds);

// One target's kernels. Results of different targets differ in the last bits; one process uses one target throughout.
struct CpuKernels {
  const char* name;
  DequantizeRowFn* dequantize_row;
  GemmColumnsFn* gemm_columns;
  QuantizeRowFn* quantize_row;
  PackedGemmTileFn* packed_gemm_tile;
  Bf16GemmTileFn* bf16_gemm_tile;
  DotRoundsFn* dot_rounds;
  std::int64_t dot_round_operations;
  RmsNormFn* rms_norm;
  RopeRowFn* rope_row;
  GatedUnitFn* swiglu;
  GatedUnitFn* geglu;
  StoreKvFn* store_kv;
  PagedAttentionFn* paged_attention;
  AttentionSpanFn* attention_span;
  JoinSpansFn* join_spans;
};

// nullptr: not in this build, or this machine lacks the instructions.
const CpuKernels* CpuKernelsFor(CpuTarget target);

// The widest target that this machine has.
const CpuKernels& BestCpuKernels();

}  // namespace kernels
