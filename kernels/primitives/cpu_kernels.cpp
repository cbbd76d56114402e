#include "kernels/primitives/cpu_kernels.h"

#include <initializer_list>

#include "kernels/primitives/cpu_kernels_targets.h"

namespace kernels {
namespace {

std::int64_t DotRoundsRef(std::int64_t rounds) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < rounds; ++i) sum += (i & 0xF) * (i & 0x7F);
  return sum;
}

constexpr CpuKernels kReferenceKernels{
    .name = "reference",
    .dequantize_row = &DequantizeRowRef,
    .gemm_columns = &GemmColumnsRef,
    .quantize_row = &QuantizeRowRef,
    .packed_gemm_tile = &PackedGemmTileRef,
    .bf16_gemm_tile = &Bf16GemmTileRef,
    .dot_rounds = &DotRoundsRef,
    .dot_round_operations = 2,
    .rms_norm = &RmsNormRef,
    .rope_row = &RopeRowRef,
    .swiglu = &SwiGluRef,
    .geglu = &GeGluRef,
    .store_kv = &StoreKvRef,
    .paged_attention = &PagedAttentionRef,
    .attention_span = &AttentionSpanRef,
    .join_spans = &JoinSpansRef,
};

#if defined(__x86_64__)
bool HasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

}  // namespace

const CpuKernels* CpuKernelsFor(CpuTarget target) {
  switch (target) {
    case CpuTarget::kReference:
      return &kReferenceKernels;
    case CpuTarget::kPortable:
      return &kPortableKernels;
#if defined(__x86_64__)
    case CpuTarget::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")
                 ? &kAvx2Kernels
                 : nullptr;
    case CpuTarget::kAvx512:
      return HasAvx512() ? &kAvx512Kernels : nullptr;
    case CpuTarget::kAvx512Vnni:
      return HasAvx512() && __builtin_cpu_supports("avx512vnni") ? &kAvx512VnniKernels : nullptr;
#endif
    default:
      return nullptr;
  }
}

const CpuKernels& BestCpuKernels() {
  for (const CpuTarget target : {CpuTarget::kAvx512Vnni, CpuTarget::kAvx512, CpuTarget::kAvx2}) {
    if (const CpuKernels* kernels = CpuKernelsFor(target)) return *kernels;
  }
  return kPortableKernels;
}

}  // namespace kernels
