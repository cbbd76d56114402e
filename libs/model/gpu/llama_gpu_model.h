#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kernels/gemm/gemm_gpu.h"
#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/primitives/gpu/runtime.h"
#include "libs/kvcache/step_batch.h"
#include "libs/model/gpu/device_memory.h"
#include "libs/model/gpu/gpu_weights.h"
#include "libs/model/gpu/graph_cache.h"
#include "libs/model/gpu/step_buffers.h"
#include "libs/model/gpu/step_part.h"
#include "libs/model/gpu/step_slot.h"
#include "libs/model/llama_config.h"
#include "libs/tensor/gguf.h"

namespace model {

enum class GpuKvFormat { kBf16, kFp8 };

struct GpuModelOptions {
  std::int32_t ordinal = 0;  // which card
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

// One Llama forward pass and the choice of tokens on a device, over a paged KV cache. See README.md for the life of a
// step. Two steps may be in flight: while one runs, the next is built, and tokens that it needs from the one before are
// named by a negative id (-1 - i: what sample i of the step before picks).
//
// Ownership: all memory of the device is taken in Load; a step allocates nothing, but for a graph when its shape comes
//            the second time.
// Threading: one thread at a time, which may change.
// Determinism: see README.md; a row's result depends on its sequence and on the bucket of the step's rows.
// Errors:    Internal from Enqueue or Collect with device_lost(): the card is gone for this process, which must end.
class LlamaGpuModel {
 public:
  static constexpr int kStepsInFlight = 2;

  // FailedPrecondition: no such device, with what was found.
  static absl::StatusOr<kernels::gpu::DeviceInfo> FindDevice(std::int32_t ordinal);

  // FailedPrecondition: no usable device, or a model that the kernels do not cover (names what and --device=cpu).
  // ResourceExhausted: memory. InvalidArgument: an option.
  static absl::StatusOr<std::unique_ptr<LlamaGpuModel>> Load(const tensor::GgufFile& file, GpuModelOptions options);
  // A model of this shape with random weights (GpuWeights::Random), for benchmarks.
  static absl::StatusOr<std::unique_ptr<LlamaGpuModel>> Random(const LlamaConfig& config, GpuModelOptions options,
                                                               std::uint64_t seed);
  ~LlamaGpuModel();
  LlamaGpuModel(const LlamaGpuModel&) = delete;
  LlamaGpuModel& operator=(const LlamaGpuModel&) = delete;

  // Starts a step; samples[i] belongs to batch.logit_rows[i]. Decodes (one row) come first in the batch.
  // REQUIRES: fewer than kStepsInFlight steps in flight; a batch as LlamaModel::ForwardStep states.
  absl::Status Enqueue(const kvcache::StepBatch& batch, std::span<const StepSample> samples);

  // Waits for the oldest step in flight. Its picks, -1 where logits were not finite; valid until the next Enqueue.
  absl::StatusOr<std::span<const std::int32_t>> Collect();

  // Logits of the first `samples` samples of the step collected last, [samples][vocabulary]; for tools and tests.
  // REQUIRES: no step in flight.
  absl::StatusOr<std::vector<float>> ReadLogits(std::int32_t samples);

  // Fills the whole KV pool with numbers that attention can read, for benchmarks that start in the middle of a context.
  absl::Status FillKvForBenchmark();

  // From now on steps run the launches of one kind alone, on what earlier steps left in the buffers; nullopt: whole
  // steps. REQUIRES: no step in flight.
  void RunOnlyForBenchmark(std::optional<StepPart> part);

  bool device_lost() const { return device_lost_; }
  std::int32_t steps_in_flight() const { return steps_in_flight_; }
  // Device time of the step collected last. REQUIRES: options.timing
  absl::StatusOr<double> StepSeconds();

  const LlamaConfig& config() const { return config_; }
  const kernels::gpu::DeviceInfo& device() const { return device_; }
  std::int32_t blocks_total() const { return options_.blocks_total; }
  std::int32_t block_size() const { return options_.block_size; }
  std::int32_t positions_max() const { return options_.positions_max; }
  std::int64_t weight_bytes() const { return weights_.matrix_bytes; }  // what a decode step reads at least, of weights
  std::int64_t kv_bytes_per_token() const;
  std::size_t seen_words() const;  // of one bit set
  // Why products of many rows run on kernels of our own and not on the library's; nullptr: they run on the library's.
  const char* library_missing() const { return kernels::gpu::GemmLibraryMissing(gemm_.get()); }
  std::size_t graphs() const { return graphs_.size(); }

 private:
  // What the launches of a step depend on.
  struct StepPlan {
    StepSizes sizes;
    std::int32_t decodes = 0;      // leading sequences of one row
    std::int32_t chunk_max = 0;    // most rows of one of the others
    std::int32_t context_max = 0;  // of the decodes, as bucket
    bool captures = false;         // decodes alone, all of which sample: one of few shapes
  };

  LlamaGpuModel(const LlamaConfig& config, const GpuModelOptions& options, const kernels::gpu::DeviceInfo& device,
                GpuWeights weights);

  static absl::StatusOr<kernels::gpu::DeviceInfo> Open(const LlamaConfig& config, GpuModelOptions& options);
  static absl::StatusOr<std::unique_ptr<LlamaGpuModel>> Finish(const LlamaConfig& config,
                                                               const GpuModelOptions& options,
                                                               const kernels::gpu::DeviceInfo& device,
                                                               GpuWeights weights);
  absl::Status TakeMemory();
  absl::Status TakeKvPool();
  absl::Status WarmUp();

  void CheckBatch(const kvcache::StepBatch& batch, std::span<const StepSample> samples) const;
  StepPlan PlanStep(const kvcache::StepBatch& batch) const;
  std::int64_t FillArrays(const StepPlan& plan, const kvcache::StepBatch& batch, std::span<const StepSample> samples,
                          const StepSlot& slot);  // returns the number of block ids
  kernels::gpu::LaunchResult UploadSeen(std::span<const StepSample> samples, const StepSlot& slot);
  kernels::gpu::LaunchResult Start(const StepPlan& plan, std::int64_t block_ids, std::span<const StepSample> samples);
  kernels::gpu::LaunchResult RunOrReplay(const StepPlan& plan);
  kernels::gpu::LaunchResult RunWithoutGraphs(const StepPlan& plan);

  // The launches, in order. `slot` and `plan` fix every argument.
  kernels::gpu::LaunchResult Run(const StepPlan& plan);
  kernels::gpu::LaunchResult RunAttention(const StepPlan& plan, const StepArrays& arrays, std::int32_t layer);
  kernels::gpu::LaunchResult RunFeedForward(const StepPlan& plan, const GpuLayer& layer);
  kernels::gpu::LaunchResult RunSampling(const StepPlan& plan, const StepArrays& arrays);
  kernels::gpu::LaunchResult RunNorm(const float* weight, std::int32_t rows, const std::int32_t* row_ids, bool fp8);
  kernels::gpu::LaunchResult RunProducts(std::span<const kernels::gpu::Matrix> parts, const ProductInput& x,
                                         std::int32_t rows, kernels::gpu::Bf16* y, std::int32_t y_stride);
  kernels::gpu::LaunchResult RunProductAdded(const kernels::gpu::Matrix& w, const ProductInput& x, std::int32_t rows);
  bool TakesFp8(std::span<const kernels::gpu::Matrix> parts, std::int32_t rows) const;
  bool Runs(StepPart part) const { return !only_part_.has_value() || *only_part_ == part; }
  kernels::gpu::PagedKv LayerKv(std::int32_t layer) const;
  absl::Status Told(const kernels::gpu::LaunchResult& result, const char* what);

  const LlamaConfig config_;
  GpuModelOptions options_;  // with zeros replaced by what was chosen
  const kernels::gpu::DeviceInfo device_;

  // Memory first, streams last: the destructor waits for the streams before anything goes.
  const GpuWeights weights_;
  DeviceMemory rope_table_;  // [positions_max][2][head_dim] float
  DeviceMemory
      kv_pool_;        // [layers][K, V][blocks_total + 1][kv_heads][block_size][head_dim]; the last block is padding's
  DeviceMemory seen_;  // [samples_max][seen_words]
  DeviceMemory step_memory_;
  StepBuffers buffers_{};  // into step_memory_
  DeviceMemory gemm_workspace_;
  DeviceGemmContext gemm_;
  StepSlot slots_[kStepsInFlight];
  GraphCache graphs_;
  std::vector<std::pair<std::int32_t, std::int32_t>> shapes_met_;  // (rows, context) that ran once, uncaptured
  DeviceStream compute_, copy_;

  std::uint64_t steps_enqueued_ = 0, steps_collected_ = 0;
  std::int32_t steps_in_flight_ = 0;
  std::int32_t samples_[kStepsInFlight] = {};
  std::optional<StepPart> only_part_;
  bool device_lost_ = false;
  bool no_memory_for_graphs_ = false;
};

}  // namespace model
