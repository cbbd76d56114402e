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
#include "libs/model/decoder_config.h"
#include "libs/model/gpu/device_memory.h"
#include "libs/model/gpu/gpu_model.h"
#include "libs/model/gpu/gpu_weights.h"
#include "libs/model/gpu/graph_cache.h"
#include "libs/model/gpu/shard.h"
#include "libs/model/gpu/step_buffers.h"
#include "libs/model/gpu/step_part.h"
#include "libs/model/gpu/step_slot.h"
#include "libs/tensor/gguf.h"

namespace model {

// The model on one card: a whole one, or one rank's part of a model over several (shard.h).
//
// Ownership: all memory of the device is taken in Load; a step allocates nothing, but for a graph when its shape comes
//            the second time.
class LlamaGpuModel final : public GpuModel {
 public:
  // FailedPrecondition: no such device, with what was found.
  static absl::StatusOr<kernels::gpu::DeviceInfo> FindDevice(std::int32_t ordinal);

  // FailedPrecondition: no usable device, or a model that the kernels do not cover (names what and --device=cpu).
  // ResourceExhausted: memory. InvalidArgument: an option.
  static absl::StatusOr<std::unique_ptr<LlamaGpuModel>> Load(const tensor::GgufFile& file, GpuModelOptions options);
  // A model of this shape with random weights (GpuWeights::Random), for benchmarks.
  static absl::StatusOr<std::unique_ptr<LlamaGpuModel>> Random(const DecoderConfig& config, GpuModelOptions options,
                                                               std::uint64_t seed);
  ~LlamaGpuModel() override;
  LlamaGpuModel(const LlamaGpuModel&) = delete;
  LlamaGpuModel& operator=(const LlamaGpuModel&) = delete;

  absl::Status Enqueue(const kvcache::StepBatch& batch, std::span<const StepSample> samples) override;
  absl::StatusOr<std::span<const std::int32_t>> Collect() override;
  absl::StatusOr<std::vector<float>> ReadLogits(std::int32_t samples) override;

  // Fills the whole KV pool with numbers that attention can read, for benchmarks that start in the middle of a context.
  absl::Status FillKvForBenchmark();

  // From now on steps run the launches of one kind alone, on what earlier steps left in the buffers; nullopt: whole
  // steps. REQUIRES: no step in flight.
  void RunOnlyForBenchmark(std::optional<StepPart> part);

  std::int32_t steps_in_flight() const { return steps_in_flight_; }
  // Device time of the step collected last. REQUIRES: options.timing
  absl::StatusOr<double> StepSeconds();

  bool device_lost() const override { return device_lost_; }
  const DecoderConfig& config() const override { return config_; }
  const kernels::gpu::DeviceInfo& device() const override { return device_; }
  std::int32_t blocks_total() const override { return options_.blocks_total; }
  std::int32_t block_size() const override { return options_.block_size; }
  std::int32_t positions_max() const override { return options_.positions_max; }
  std::int64_t weight_bytes() const override { return weights_.matrix_bytes; }
  std::int64_t kv_bytes_per_token() const override;
  std::size_t seen_words() const override;
  const char* library_missing() const override { return kernels::gpu::GemmLibraryMissing(gemm_.get()); }
  std::size_t graphs() const override { return graphs_.size(); }

 private:
  friend class TensorParallelModel;

  // What the launches of a step depend on.
  struct StepPlan {
    StepSizes sizes;
    std::int32_t decodes = 0;      // leading sequences of one row
    std::int32_t chunk_max = 0;    // most rows of one of the others
    std::int32_t context_max = 0;  // of the decodes, as bucket
    bool captures = false;         // decodes alone, all of which sample: one of few shapes
  };

  LlamaGpuModel(const DecoderConfig& config, const GpuModelOptions& options, const kernels::gpu::DeviceInfo& device,
                GpuWeights weights, const Shard& shard);

  static absl::StatusOr<kernels::gpu::DeviceInfo> Open(const DecoderConfig& config, GpuModelOptions& options);
  // All but the KV pool and the steps that warm up. The ranks of a model do it side by side, then choose the size of
  // their pools together, then take them and warm up. REQUIRES: CheckSplit
  static absl::StatusOr<std::unique_ptr<LlamaGpuModel>> Prepare(const tensor::GgufFile& file, GpuModelOptions options,
                                                                const Shard& shard);
  static absl::StatusOr<std::unique_ptr<LlamaGpuModel>> Assemble(const DecoderConfig& config,
                                                                 const GpuModelOptions& options,
                                                                 const kernels::gpu::DeviceInfo& device,
                                                                 GpuWeights weights, const Shard& shard);
  absl::Status TakeMemory();
  absl::Status WarmUpCollectives();
  absl::StatusOr<std::int32_t> ChooseBlocks() const;  // as the options say, or as many as the free memory holds
  absl::Status TakeKvPool(std::int32_t blocks);
  absl::Status Complete(std::int32_t blocks);
  absl::Status WarmUp();

  void CheckBatch(const kvcache::StepBatch& batch, std::span<const StepSample> samples) const;
  StepPlan PlanStep(const kvcache::StepBatch& batch) const;
  std::int64_t FillArrays(const StepPlan& plan, const kvcache::StepBatch& batch, std::span<const StepSample> samples,
                          const StepSlot& slot);  // returns the number of block ids
  kernels::gpu::LaunchResult UploadSeen(std::span<const StepSample> samples, const StepSlot& slot);
  kernels::gpu::LaunchResult Start(const StepPlan& plan, std::int64_t block_ids, const kvcache::StepBatch& batch,
                                   std::span<const StepSample> samples);
  kernels::gpu::LaunchResult CopyBlocks(std::span<const kvcache::BlockMove> copies, const std::uint32_t* on_device);
  kernels::gpu::LaunchResult RunOrReplay(const StepPlan& plan);
  kernels::gpu::LaunchResult RunWithoutGraphs(const StepPlan& plan);

  // The launches, in order. `slot` and `plan` fix every argument.
  kernels::gpu::LaunchResult Run(const StepPlan& plan);
  kernels::gpu::LaunchResult RunAttention(const StepPlan& plan, const StepArrays& arrays, std::int32_t layer);
  kernels::gpu::LaunchResult RunFeedForward(const StepPlan& plan, const GpuLayer& layer);
  kernels::gpu::LaunchResult RunSampling(const StepPlan& plan, const StepArrays& arrays);
  // row_ids: nullptr, or which of the step's rows_total rows.
  kernels::gpu::LaunchResult RunNorm(const float* weight, std::int32_t rows, const std::int32_t* row_ids,
                                     std::int32_t rows_total, bool fp8);
  kernels::gpu::LaunchResult RunProducts(std::span<const kernels::gpu::Matrix> parts, const ProductInput& x,
                                         std::int32_t rows, kernels::gpu::Bf16* y, std::int32_t y_stride);
  kernels::gpu::LaunchResult RunProductAdded(const kernels::gpu::Matrix& w, const ProductInput& x, std::int32_t rows);
  bool TakesFp8(std::span<const kernels::gpu::Matrix> parts, std::int32_t rows) const;
  bool Runs(StepPart part) const { return !only_part_.has_value() || *only_part_ == part; }
  kernels::gpu::PagedKv LayerKv(std::int32_t layer) const;
  absl::Status Told(const kernels::gpu::LaunchResult& result, const char* what);

  const DecoderConfig config_;
  GpuModelOptions options_;  // with zeros replaced by what was chosen
  const kernels::gpu::DeviceInfo device_;
  const Shard shard_;

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
