#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/model/gpu/gpu_model.h"
#include "libs/model/gpu/llama_gpu_model.h"
#include "libs/tensor/gguf.h"

namespace model {

// options.tensor_parallel cards or one, as the options say. Errors as the classes' Load.
absl::StatusOr<std::unique_ptr<GpuModel>> LoadGpuModel(const tensor::GgufFile& file, const GpuModelOptions& options);

// A model whose matrices are shared by options.tensor_parallel cards, from options.ordinal on: each card is a rank,
// which holds its part (shard.h) as a LlamaGpuModel that a thread of its own drives. Every rank gets the same steps
// and, since the sums over the cards have the same bits on each, picks the same tokens: nothing else is exchanged.
// Collect compares the picks.
//
// Errors: any rank's error ends the model: device_lost(), because the ranks can't go on apart. Enqueue and Collect come
//         back with it while other ranks may still wait for the one that failed; these are left behind when they don't
//         come free in time, with what they use, since the process must end anyway.
class TensorParallelModel final : public GpuModel {
 public:
  // As LlamaGpuModel::Load, with the card named. InvalidArgument also: what the cards can't share, see CheckSplit.
  // FailedPrecondition also: fewer cards, or no NCCL.
  static absl::StatusOr<std::unique_ptr<TensorParallelModel>> Load(const tensor::GgufFile& file,
                                                                   const GpuModelOptions& options);
  ~TensorParallelModel() override;

  absl::Status Enqueue(const kvcache::StepBatch& batch, std::span<const StepSample> samples) override;
  absl::StatusOr<std::span<const std::int32_t>> Collect() override;
  absl::StatusOr<std::vector<float>> ReadLogits(std::int32_t samples) override;

  bool device_lost() const override { return lost_; }
  const DecoderConfig& config() const override { return config_; }
  const kernels::gpu::DeviceInfo& device() const override { return first().device(); }
  std::int32_t blocks_total() const override { return first().blocks_total(); }
  std::int32_t block_size() const override { return first().block_size(); }
  std::int32_t positions_max() const override { return first().positions_max(); }
  std::int64_t weight_bytes() const override { return ranks_ * first().weight_bytes(); }
  std::int64_t kv_bytes_per_token() const override { return ranks_ * first().kv_bytes_per_token(); }
  std::size_t seen_words() const override { return first().seen_words(); }
  const char* library_missing() const override { return first().library_missing(); }
  std::size_t graphs() const override { return first().graphs(); }

 private:
  struct Group;  // all that the ranks' threads touch

  TensorParallelModel(const DecoderConfig& config, const GpuModelOptions& options);

  absl::Status LoadRanks(const tensor::GgufFile& file, const GpuModelOptions& options);
  const LlamaGpuModel& first() const;

  const DecoderConfig config_;  // of the whole
  const std::int32_t ranks_;
  std::unique_ptr<Group> group_;
  bool lost_ = false;
};

}  // namespace model
