#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernels/primitives/gpu/runtime.h"
#include "libs/kvcache/step_batch.h"
#include "libs/model/decoder_config.h"
#include "libs/model/gpu/gpu_weights.h"

namespace model {

enum class GpuKvFormat { kBf16, kFp8 };

struct GpuModelOptions {
  std::int32_t ordinal = 0;          // which card, and the first of several
  std::int32_t tensor_parallel = 1;  // cards that share each matrix, from `ordinal` on, [1, 8]; see tensor_parallel.h
  GpuWeightsFormat weights = GpuWeightsFormat::kFile;
  GpuKvFormat kv = GpuKvFormat::kBf16;
  std::int32_t blocks_total = 0;   // KV blocks; 0: as many as the memory takes that is free after everything else
  std::int32_t block_size = 16;    // tokens in a block: 16, 32, 64 or 128
  std::int32_t rows_max = 256;     // rows of a step, at least samples_max
  std::int32_t samples_max = 32;   // sequences of a step, and rows of it that sample
  std::int32_t positions_max = 0;  // positions of a sequence; 0: as model and pool allow
  std::int32_t graphs_max = 64;    // captured decode steps; 0: none
  std::int32_t tokens_total = 0;   // token ids that may be picked; 0: the whole vocabulary
  // FP8 weights: steps of more rows than this round what goes into the products to FP8 as well. Fewer rows are bound by
  // reading the weights, and keep BF16, which is more exact.
  std::int32_t bf16_inputs_rows_max = kernels::gpu::kGemmFp8InputRows;
  int load_threads = 1;
  LoadProgress progress{};  // while weights are loaded; not kept
  bool timing = false;      // measure steps on the device: see step_seconds()
};

// How one row that samples picks its token; fields as sampler::SamplerOptions.
struct StepSample {
  float temperature = 0.0F;
  std::int32_t top_k = 0;
  float top_p = 1.0F;
  float min_p = 0.0F;
  float repetition_penalty = 1.0F;
  std::uint64_t seed = 0;
  std::uint32_t draw = 0;  // number of the token within its answer
  // With a penalty: a bit set of tokens on the device, which the pick is added to. Slots are the caller's to deal out,
  // in [0, samples_max). `seen` not empty: the slot is filled with it first; [seen_words()]
  std::int32_t seen_slot = -1;
  std::span<const std::uint32_t> seen{};
};

// One forward pass of a decoder and the choice of tokens on one card (LlamaGpuModel) or several (TensorParallelModel),
// over a paged KV cache. See README.md for the life of a step. Two steps may be in flight: while one runs, the next is
// built, and tokens that it needs from the one before are named by a negative id (-1 - i: what sample i of the step
// before picks).
//
// Threading: one thread at a time, which may change.
// Determinism: see README.md; a row's result depends on its sequence and on the bucket of the step's rows.
// Errors:    Internal from Enqueue or Collect with device_lost(): the device is gone for this process, which must end.
class GpuModel {
 public:
  static constexpr int kStepsInFlight = 2;

  virtual ~GpuModel() = default;

  // Starts a step; samples[i] belongs to batch.logit_rows[i]. Decodes (one row) come first in the batch.
  // REQUIRES: fewer than kStepsInFlight steps in flight; a batch as DecoderModel::ForwardStep states.
  virtual absl::Status Enqueue(const kvcache::StepBatch& batch, std::span<const StepSample> samples) = 0;

  // Waits for the oldest step in flight. Its picks, -1 where logits were not finite; valid until the next Enqueue.
  virtual absl::StatusOr<std::span<const std::int32_t>> Collect() = 0;

  // Logits of the first `samples` samples of the step collected last, [samples][vocabulary]; for tools and tests.
  // REQUIRES: no step in flight.
  virtual absl::StatusOr<std::vector<float>> ReadLogits(std::int32_t samples) = 0;

  virtual bool device_lost() const = 0;
  virtual const DecoderConfig& config() const = 0;
  virtual const kernels::gpu::DeviceInfo& device() const = 0;  // of several, the first
  virtual std::int32_t blocks_total() const = 0;
  virtual std::int32_t block_size() const = 0;
  virtual std::int32_t positions_max() const = 0;
  // Of all cards together: what a decode step reads at least, of weights, and the K/V of a token.
  virtual std::int64_t weight_bytes() const = 0;
  virtual std::int64_t kv_bytes_per_token() const = 0;
  virtual std::size_t seen_words() const = 0;  // of one bit set
  // Why products of many rows run on kernels of our own and not on the library's; nullptr: they run on the library's.
  virtual const char* library_missing() const = 0;
  virtual std::size_t graphs() const = 0;  // captured on each card
};

}  // namespace model
