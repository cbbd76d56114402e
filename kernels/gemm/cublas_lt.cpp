#include "kernels/gemm/cublas_lt.h"

#include <cublasLt.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <tuple>
#include <vector>

namespace kernels::gpu {
namespace {

// The library's functions that are called, each of the type that the header declares.
struct Functions {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetStatusString) status_string;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulDescCreate) desc_create;
  decltype(&cublasLtMatmulDescDestroy) desc_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) desc_set;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
};

template <typename Function>
bool Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

// The library stays loaded once it is: its messages are handed out as static text.
LaunchResult Load(Functions* functions) {
  void* library = nullptr;
  for (const char* path :
       {"libcublasLt.so.13", MESH_CUDA_HOME "/lib/libcublasLt.so.13", MESH_CUDA_HOME "/lib64/libcublasLt.so.13"}) {
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library != nullptr) break;
  }
  if (library == nullptr) {
    return LaunchResult::Refused("no libcublasLt.so.13 on the loader's path or in the toolkit of the build");
  }
  const bool all = Find(library, "cublasLtCreate", &functions->create) &&
                   Find(library, "cublasLtDestroy", &functions->destroy) &&
                   Find(library, "cublasLtGetStatusString", &functions->status_string) &&
                   Find(library, "cublasLtMatmul", &functions->matmul) &&
                   Find(library, "cublasLtMatmulAlgoGetHeuristic", &functions->heuristic) &&
                   Find(library, "cublasLtMatmulDescCreate", &functions->desc_create) &&
                   Find(library, "cublasLtMatmulDescDestroy", &functions->desc_destroy) &&
                   Find(library, "cublasLtMatmulDescSetAttribute", &functions->desc_set) &&
                   Find(library, "cublasLtMatrixLayoutCreate", &functions->layout_create) &&
                   Find(library, "cublasLtMatrixLayoutDestroy", &functions->layout_destroy) &&
                   Find(library, "cublasLtMatmulPreferenceCreate", &functions->preference_create) &&
                   Find(library, "cublasLtMatmulPreferenceDestroy", &functions->preference_destroy) &&
                   Find(library, "cublasLtMatmulPreferenceSetAttribute", &functions->preference_set);
  if (!all) return LaunchResult::Refused("libcublasLt.so.13 lacks a function that version 13 has");
  return LaunchResult::Ok();
}

// What decides the algorithm.
struct Key {
  std::int32_t m, n, k, y_stride;
  MatrixFormat format;
  bool f32_output, accumulate;
  bool aligned;  // every pointer a multiple of 256

  auto Fields() const { return std::tie(m, n, k, y_stride, format, f32_output, accumulate, aligned); }
  bool operator==(const Key& other) const { return Fields() == other.Fields(); }
};

bool Aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 256 == 0; }

Key KeyOf(const Gemm& gemm) {
  const bool f32 = gemm.y_f32 != nullptr;
  const void* x = gemm.x_fp8 != nullptr ? static_cast<const void*>(gemm.x_fp8) : gemm.x_bf16;
  const void* y = f32 ? static_cast<const void*>(gemm.y_f32) : gemm.y_bf16;
  return {.m = gemm.m,
          .n = gemm.w.n,
          .k = gemm.w.k,
          .y_stride = gemm.y_stride,
          .format = gemm.w.format,
          .f32_output = f32,
          .accumulate = gemm.accumulate,
          .aligned = Aligned(gemm.w.data) && Aligned(x) && Aligned(y)};
}

}  // namespace

// The library is column-major: y as it sees it is [n][m] with y_stride between columns, W its operand A, transposed,
// and x its operand B. Both have k innermost, the one order that it takes FP8 in.
class CublasLt {
 public:
  CublasLt() = default;
  ~CublasLt() {
    for (auto& entry : entries_) Drop(*entry);
    if (handle_ != nullptr) functions_.destroy(handle_);
  }
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  LaunchResult Open() {
    GPU_RETURN_IF_ERROR(Load(&functions_));
    return ResultOf(functions_.create(&handle_));
  }

  LaunchResult Run(const Gemm& gemm, void* workspace, std::size_t bytes, Stream stream) {
    const Key key = KeyOf(gemm);
    Entry* entry = nullptr;
    for (auto& known : entries_) {
      if (known->key == key) entry = known.get();
    }
    if (entry == nullptr) GPU_RETURN_IF_ERROR(Add(gemm, key, bytes, &entry));
    if (!entry->supported) return LaunchResult::Refused("cuBLASLt has no algorithm for this product");
    GPU_RETURN_IF_ERROR(SetScales(gemm, entry));
    const float one = 1.0F, beta = gemm.accumulate ? 1.0F : 0.0F;
    void* y = gemm.y_f32 != nullptr ? static_cast<void*>(gemm.y_f32) : gemm.y_bf16;
    const void* x = gemm.x_fp8 != nullptr ? static_cast<const void*>(gemm.x_fp8) : gemm.x_bf16;
    return ResultOf(functions_.matmul(handle_, entry->desc, &one, gemm.w.data, entry->w, x, entry->x, &beta, y,
                                      entry->y, y, entry->y, &entry->algorithm, workspace, bytes, stream));
  }

 private:
  // What was found for one key; the descriptors too, because making them takes as long as the launch.
  struct Entry {
    Key key{};
    bool supported = false;
    cublasLtMatmulDesc_t desc = nullptr;
    cublasLtMatrixLayout_t w = nullptr, x = nullptr, y = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
  };
  // A model has a handful of shapes; what varies is the number of rows of a step, by a few hundred. The oldest makes
  // room.
  static constexpr std::size_t kEntriesMax = 512;

  LaunchResult ResultOf(cublasStatus_t status) const {
    switch (status) {
      case CUBLAS_STATUS_SUCCESS:
        return LaunchResult::Ok();
      case CUBLAS_STATUS_NOT_SUPPORTED:
      case CUBLAS_STATUS_INVALID_VALUE:
        return LaunchResult::Refused(functions_.status_string(status));
      case CUBLAS_STATUS_ALLOC_FAILED:
        return LaunchResult::NoMemory(functions_.status_string(status));
      case CUBLAS_STATUS_NOT_INITIALIZED:
      case CUBLAS_STATUS_ARCH_MISMATCH:
        return LaunchResult::NoDevice(functions_.status_string(status));
      default:
        return LaunchResult::Failed(functions_.status_string(status));
    }
  }

  void Drop(Entry& entry) {
    if (entry.desc != nullptr) functions_.desc_destroy(entry.desc);
    for (cublasLtMatrixLayout_t layout : {entry.w, entry.x, entry.y}) {
      if (layout != nullptr) functions_.layout_destroy(layout);
    }
  }

  template <typename Value>
  LaunchResult Set(Entry* entry, cublasLtMatmulDescAttributes_t attribute, const Value& value) {
    return ResultOf(functions_.desc_set(entry->desc, attribute, &value, sizeof(value)));
  }

  // One scale for each row of W and of x. The pointers belong to the call, not to the shape.
  LaunchResult SetScales(const Gemm& gemm, Entry* entry) {
    if (gemm.w.format != MatrixFormat::kFp8) return LaunchResult::Ok();
    GPU_RETURN_IF_ERROR(Set(entry, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, gemm.w.scales));
    const void* x_scales = gemm.x_scales;
    return Set(entry, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, x_scales);
  }

  LaunchResult Describe(const Gemm& gemm, const Key& key, Entry* entry) {
    const bool fp8 = key.format == MatrixFormat::kFp8;
    const cudaDataType input = fp8 ? CUDA_R_8F_E4M3 : CUDA_R_16BF, output = key.f32_output ? CUDA_R_32F : CUDA_R_16BF;
    const auto m = static_cast<std::uint64_t>(key.m), n = static_cast<std::uint64_t>(key.n),
               k = static_cast<std::uint64_t>(key.k);
    GPU_RETURN_IF_ERROR(ResultOf(functions_.desc_create(&entry->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F)));
    GPU_RETURN_IF_ERROR(Set(entry, CUBLASLT_MATMUL_DESC_TRANSA, std::int32_t{CUBLAS_OP_T}));
    GPU_RETURN_IF_ERROR(Set(entry, CUBLASLT_MATMUL_DESC_TRANSB, std::int32_t{CUBLAS_OP_N}));
    if (fp8) {
      const std::int32_t outer = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
      GPU_RETURN_IF_ERROR(Set(entry, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, outer));
      GPU_RETURN_IF_ERROR(Set(entry, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, outer));
      GPU_RETURN_IF_ERROR(SetScales(gemm, entry));
    }
    GPU_RETURN_IF_ERROR(ResultOf(functions_.layout_create(&entry->w, input, k, n, key.k)));
    GPU_RETURN_IF_ERROR(ResultOf(functions_.layout_create(&entry->x, input, k, m, key.k)));
    return ResultOf(functions_.layout_create(&entry->y, output, n, m, key.y_stride));
  }

  // The library's first choice.
  LaunchResult Choose(const Key& key, std::size_t workspace_bytes, Entry* entry) {
    cublasLtMatmulPreference_t preference = nullptr;
    GPU_RETURN_IF_ERROR(ResultOf(functions_.preference_create(&preference)));
    const std::uint64_t bytes = workspace_bytes;
    cublasStatus_t status =
        functions_.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof(bytes));
    const std::uint32_t alignment = key.aligned ? 256 : 16;
    for (const auto operand :
         {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
          CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES}) {
      if (status == CUBLAS_STATUS_SUCCESS) {
        status = functions_.preference_set(preference, operand, &alignment, sizeof(alignment));
      }
    }
    cublasLtMatmulHeuristicResult_t result{};
    int results = 0;
    if (status == CUBLAS_STATUS_SUCCESS) {
      status = functions_.heuristic(handle_, entry->desc, entry->w, entry->x, entry->y, entry->y, preference, 1,
                                    &result, &results);
    }
    functions_.preference_destroy(preference);
    if (status != CUBLAS_STATUS_SUCCESS) return ResultOf(status);
    if (results == 0) return LaunchResult::Refused("cuBLASLt has no algorithm for this product");
    entry->algorithm = result.algo;
    return ResultOf(result.state);
  }

  // That the library cannot compute a product is remembered like an algorithm.
  LaunchResult Add(const Gemm& gemm, const Key& key, std::size_t workspace_bytes, Entry** added) {
    auto entry = std::make_unique<Entry>();
    entry->key = key;
    LaunchResult result = Describe(gemm, key, entry.get());
    if (result.ok()) result = Choose(key, workspace_bytes, entry.get());
    entry->supported = result.ok();
    if (!result.ok() && result.code() != LaunchResult::Code::kRefused) {
      Drop(*entry);
      return result;
    }
    *added = entry.get();
    if (entries_.size() < kEntriesMax) {
      entries_.push_back(std::move(entry));
      return LaunchResult::Ok();
    }
    Drop(*entries_[oldest_]);
    entries_[oldest_] = std::move(entry);
    oldest_ = (oldest_ + 1) % kEntriesMax;
    return LaunchResult::Ok();
  }

  Functions functions_{};
  cublasLtHandle_t handle_ = nullptr;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::size_t oldest_ = 0;
};

LaunchResult OpenCublasLt(CublasLt** library) {
  auto opened = std::make_unique<CublasLt>();
  GPU_RETURN_IF_ERROR(opened->Open());
  *library = opened.release();
  return LaunchResult::Ok();
}

void CloseCublasLt(CublasLt* library) { delete library; }

LaunchResult RunCublasLt(CublasLt* library, const Gemm& gemm, void* workspace, std::size_t bytes, Stream stream) {
  return library->Run(gemm, workspace, bytes, stream);
}

}  // namespace kernels::gpu
