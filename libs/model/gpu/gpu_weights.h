#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/gemm/gemm_gpu.h"
#include "kernels/quant/weight_format.h"
#include "libs/model/decoder_config.h"
#include "libs/model/decoder_weights.h"
#include "libs/model/gpu/device_memory.h"
#include "libs/model/gpu/weight_upload.h"

namespace model {

// How matrices lie on the device.
enum class GpuWeightsFormat {
  kFile,  // Q8_0, Q4_0, Q4_1 and Q4_K as in the file, the others BF16
  kBf16,
  kFp8,  // E4M3 with one scale a row; the output matrix stays BF16, as its errors go straight into the choice of a
         // token
};

// Several matrices of one input, whose outputs lie side by side: one product where their formats agree, else one for
// each. A split over several cards cuts each of them by rows of W.
struct JoinedMatrix {
  std::array<kernels::gpu::Matrix, 3> parts{};
  std::int32_t count = 0;

  std::span<const kernels::gpu::Matrix> all() const { return {parts.data(), static_cast<std::size_t>(count)}; }
};

struct GpuLayer {
  const float* attention_norm = nullptr;    // [width]
  JoinedMatrix qkv;                         // [q_width + 2 * kv_width][width]; see pair_order.h
  const float* qkv_bias = nullptr;          // [q_width + 2 * kv_width], or nullptr
  const float* q_norm = nullptr;            // [head_dim], or nullptr
  const float* k_norm = nullptr;            // [head_dim], or nullptr
  kernels::gpu::Matrix attention_output{};  // [width][q_width]
  const float* ffn_norm = nullptr;          // [width]
  JoinedMatrix gate_up;                     // [2 * ffn_width][width]
  kernels::gpu::Matrix down{};              // [width][ffn_width]
};

// A matrix that becomes row-major goes through the staging in runs of about this size; a quantised one, whose layout
// may cross rows, goes in one piece.
inline constexpr std::int64_t kRowMajorRunBytes = std::int64_t{64} << 20;

// All weights of a model in the memory of the current device.
//
// Ownership: the device memory; views into it are handed out and live as long as this.
// Cost:      the file is read once, through WeightUpload; the host keeps nothing.
struct GpuWeights {
  const std::uint8_t* embedding = nullptr;  // [vocabulary][RowBytes(embedding_format, width)], as in the file
  kernels::WeightFormat embedding_format = kernels::WeightFormat::kBF16;
  std::vector<GpuLayer> layers;
  const float* output_norm = nullptr;     // [width]
  kernels::gpu::Matrix output{};          // [vocabulary, up to a multiple of 8, zeros below][width]
  std::vector<float> rope_pair_divisors;  // on the host: [head_dim / 2] of the rotary angles, or empty
  std::int64_t matrix_bytes = 0;          // of all matrices and scales that a step reads once: all but the embedding
  std::vector<DeviceMemory> memory;

  // ResourceExhausted: device memory. Internal: a kernel refused or failed.
  static absl::StatusOr<GpuWeights> Upload(const DecoderWeights& weights, const DecoderConfig& config,
                                           GpuWeightsFormat format, int threads, const LoadProgress& progress,
                                           std::int64_t run_bytes = kRowMajorRunBytes);

  // Random weights of about normal(0, 0.02) in BF16 or FP8, for benchmarks: activations stay finite, answers are noise.
  static absl::StatusOr<GpuWeights> Random(const DecoderConfig& config, GpuWeightsFormat format, std::uint64_t seed);
};

// The matrix format for a matrix of the file.
kernels::gpu::MatrixFormat MatrixFormatFor(kernels::WeightFormat file, GpuWeightsFormat wanted);

}  // namespace model
