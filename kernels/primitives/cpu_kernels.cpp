#include "kernels/primitives/cpu_kernels.h"

#include "kernels/primitives/cpu_kernels_targets.h"

namespace kernels {
namespace {

constexpr CpuKernels kReferenceKernels{
    .name = "reference",
    .dequantize_row = &DequantizeRowRef,
    .gemm_columns = &GemmColumnsRef,
    .rms_norm = &RmsNormRef,
    .rope_row = &RopeRowRef,
    .swiglu = &SwiGluRef,
    .store_kv = &StoreKvRef,
    .paged_attention = &PagedAttentionRef,
};

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
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                     __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
                 ? &kAvx512Kernels
                 : nullptr;
#endif
    default:
      return nullptr;
  }
}

const CpuKernels& BestCpuKernels() {
  if (const CpuKernels* kernels = CpuKernelsFor(CpuTarget::kAvx512)) return *kernels;
  if (const CpuKernels* kernels = CpuKernelsFor(CpuTarget::kAvx2)) return *kernels;
  return kPortableKernels;
}

}  // namespace kernels
