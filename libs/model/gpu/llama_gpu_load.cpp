// Loading: what is checked, and the device memory that is taken, before the first step. Apart from llama_gpu_model.cpp,
// which starts and ends steps.
#include <algorithm>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "kernels/primitives/gpu/collectives.h"
#include "kernels/rope/rope.h"
#include "libs/model/gpu/llama_gpu_model.h"

namespace model {

namespace gpu = kernels::gpu;
using gpu::LaunchResult;

namespace {

// Left free when the pool takes the rest: captured graphs, cuBLASLt and what the driver takes later on.
constexpr std::int64_t kReserveBytesMin = std::int64_t{512} << 20;
constexpr std::int64_t kReserveShare = 32;  // of the card's memory, one part in
constexpr std::int64_t kBlocksMax = 1 << 24;

struct Bound {
  const char* name;
  std::int64_t value, min, max;
};

absl::Status CheckOptions(const GpuModelOptions& options) {
  const Bound bounds[] = {{"device_ordinal", options.ordinal, 0, 1023},
                          {"tensor_parallel", options.tensor_parallel, 1, gpu::kRanksMax},
                          {"kv_blocks", options.blocks_total, 0, kBlocksMax},
                          {"sequences_max", options.samples_max, 1, 4096},
                          {"step_tokens_max", options.rows_max, options.samples_max, 1 << 16},
                          {"context_tokens_max", options.positions_max, 0, 1 << 24},
                          {"tokens_total", options.tokens_total, 0, std::numeric_limits<std::int32_t>::max()},
                          {"threads", options.load_threads, 1, 256}};
  for (const Bound& bound : bounds) {
    if (bound.value < bound.min || bound.value > bound.max) {
      return absl::InvalidArgumentError(
          absl::StrCat(bound.name, " is ", bound.value, ", must be in [", bound.min, ", ", bound.max, "]"));
    }
  }
  const std::int32_t block_size = options.block_size;
  if (block_size != 16 && block_size != 32 && block_size != 64 && block_size != 128) {
    return absl::InvalidArgumentError(
        absl::StrCat("block_size is ", block_size, ", on a device it must be 16, 32, 64 or 128"));
  }
  return absl::OkStatus();
}

// What the forward pass here covers of what the one on the CPU does.
absl::Status CheckArchitecture(const DecoderConfig& config) {
  constexpr Architecture kServed[] = {Architecture::kLlama, Architecture::kQwen2, Architecture::kQwen3};
  std::string names;
  for (const Architecture served : kServed) {
    if (config.architecture == served) return absl::OkStatus();
    absl::StrAppend(&names, names.empty() ? "" : ", ", std::string(ArchitectureName(served)));
  }
  return absl::FailedPreconditionError(absl::StrCat("--device=cuda serves ", names, " so far, and this model is ",
                                                    std::string(ArchitectureName(config.architecture)),
                                                    "; use --device=cpu"));
}

// What the kernels cover of all shapes.
absl::Status CheckShape(const DecoderConfig& config) {
  const auto refused = [](std::string why) {
    return absl::FailedPreconditionError(
        absl::StrCat("the device kernels do not cover this model: ", why, "; --device=cpu does"));
  };
  const std::int32_t head_dim = config.head_dim;
  if (head_dim != 64 && head_dim != 96 && head_dim != 128 && head_dim != 256) {
    return refused(absl::StrCat("heads of ", head_dim, " values, not 64, 96, 128 or 256"));
  }
  if (config.qk_norm && head_dim == 96) {
    return refused("norms of heads of 96 values, which is no power of two");
  }
  const std::int32_t group = config.heads / config.kv_heads;
  if (group > 16) return refused(absl::StrCat(group, " query heads share a key head, at most 16"));
  if (config.width % 32 != 0 || config.q_width() % 32 != 0 || config.ffn_width % 32 != 0) {
    return refused(absl::StrCat("widths ", config.width, ", ", config.q_width(), " and ", config.ffn_width,
                                " are not all multiples of 32"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<gpu::DeviceInfo> LlamaGpuModel::FindDevice(std::int32_t ordinal) {
  gpu::DeviceInfo device{};
  RETURN_IF_DEVICE_ERROR(gpu::FindDevice(ordinal, &device), "finding the device");
  return device;
}

absl::StatusOr<gpu::DeviceInfo> LlamaGpuModel::Open(const DecoderConfig& config, GpuModelOptions& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  if (absl::Status status = CheckShape(config); !status.ok()) return status;
  std::int64_t positions = config.context_tokens;
  if (options.positions_max > 0) positions = std::min<std::int64_t>(positions, options.positions_max);
  if (options.blocks_total > 0) {
    positions = std::min(positions, std::int64_t{options.blocks_total} * options.block_size);
  }
  options.positions_max = static_cast<std::int32_t>(positions);
  const absl::StatusOr<gpu::DeviceInfo> device = FindDevice(options.ordinal);
  if (!device.ok()) return device;
  RETURN_IF_DEVICE_ERROR(gpu::SetDevice(options.ordinal), "choosing the device");
  if (options.tokens_total == 0) options.tokens_total = config.vocabulary;
  if (options.tokens_total > config.vocabulary) {
    return absl::InvalidArgumentError(absl::StrCat("tokens_total is ", options.tokens_total,
                                                   ", and the model has only ", config.vocabulary, " rows of logits"));
  }
  return device;
}

absl::StatusOr<std::unique_ptr<LlamaGpuModel>> LlamaGpuModel::Load(const tensor::GgufFile& file,
                                                                   GpuModelOptions options) {
  absl::StatusOr<std::unique_ptr<LlamaGpuModel>> model = Prepare(file, std::move(options), Shard{});
  if (!model.ok()) return model;
  const absl::StatusOr<std::int32_t> blocks = (*model)->ChooseBlocks();
  if (!blocks.ok()) return blocks.status();
  if (absl::Status status = (*model)->Complete(*blocks); !status.ok()) return status;
  return model;
}

absl::StatusOr<std::unique_ptr<LlamaGpuModel>> LlamaGpuModel::Prepare(const tensor::GgufFile& file,
                                                                      GpuModelOptions options, const Shard& shard) {
  const absl::StatusOr<DecoderConfig> whole = DecoderConfig::FromGguf(file);
  if (!whole.ok()) return whole.status();
  absl::StatusOr<DecoderWeights> weights = DecoderWeights::FromGguf(file, *whole);
  if (!weights.ok()) return weights.status();
  if (absl::Status status = CheckArchitecture(*whole); !status.ok()) return status;
  const DecoderConfig config = ConfigOfRank(*whole, shard);
  const absl::StatusOr<gpu::DeviceInfo> device = Open(config, options);
  if (!device.ok()) return device.status();
  absl::StatusOr<GpuWeights> on_device = GpuWeights::Upload(WeightsOfRank(*std::move(weights), shard), config,
                                                            options.weights, options.load_threads, options.progress);
  options.progress = nullptr;  // the model outlives what it refers to
  if (!on_device.ok()) return on_device.status();
  return Assemble(config, options, *device, *std::move(on_device), shard);
}

absl::StatusOr<std::unique_ptr<LlamaGpuModel>> LlamaGpuModel::Random(const DecoderConfig& config,
                                                                     GpuModelOptions options, std::uint64_t seed) {
  const absl::StatusOr<gpu::DeviceInfo> device = Open(config, options);
  if (!device.ok()) return device.status();
  absl::StatusOr<GpuWeights> weights = GpuWeights::Random(config, options.weights, seed);
  if (!weights.ok()) return weights.status();
  auto model = Assemble(config, options, *device, *std::move(weights), Shard{});
  if (!model.ok()) return model;
  const absl::StatusOr<std::int32_t> blocks = (*model)->ChooseBlocks();
  if (!blocks.ok()) return blocks.status();
  if (absl::Status status = (*model)->Complete(*blocks); !status.ok()) return status;
  return model;
}

absl::StatusOr<std::unique_ptr<LlamaGpuModel>> LlamaGpuModel::Assemble(const DecoderConfig& config,
                                                                       const GpuModelOptions& options,
                                                                       const gpu::DeviceInfo& device,
                                                                       GpuWeights weights, const Shard& shard) {
  std::unique_ptr<LlamaGpuModel> model(new LlamaGpuModel(config, options, device, std::move(weights), shard));
  if (absl::Status status = model->TakeMemory(); !status.ok()) return status;
  return model;
}

absl::Status LlamaGpuModel::TakeMemory() {
  absl::Status status;
  const auto keep = [&status](auto made, auto& place) {
    if (status.ok() && made.ok()) place = *std::move(made);
    if (status.ok()) status = made.status();
  };
  keep(MakeStream(), compute_);
  keep(MakeStream(), copy_);

  const std::size_t rope_floats =
      static_cast<std::size_t>(options_.positions_max) * 2 * static_cast<std::size_t>(config_.head_dim);
  keep(AllocateDevice(rope_floats * sizeof(float), "the rotary table"), rope_table_);
  const std::size_t seen_bytes = static_cast<std::size_t>(options_.samples_max) * seen_words() * sizeof(std::uint32_t);
  keep(AllocateDevice(seen_bytes, "the tokens that penalties look at"), seen_);
  keep(AllocateDevice(gpu::kGemmWorkspaceBytes, "products"), gemm_workspace_);
  MemoryPlan sizes;
  const StepBuffers measured(sizes, config_, options_.rows_max, options_.samples_max, options_.tokens_total);
  keep(AllocateDevice(sizes.bytes(), "a step's buffers"), step_memory_);
  const StepSizes most{.rows = options_.rows_max, .sequences = options_.samples_max, .samples = options_.samples_max};
  const std::int64_t blocks_each = (options_.positions_max + options_.block_size - 1) / options_.block_size;
  for (StepSlot& slot : slots_) {
    keep(StepSlot::Create(most, options_.samples_max * blocks_each, static_cast<std::int64_t>(seen_bytes),
                          options_.timing),
         slot);
  }
  if (!status.ok()) return status;

  MemoryPlan plan(step_memory_.get());
  buffers_ = StepBuffers(plan, config_, options_.rows_max, options_.samples_max, options_.tokens_total);
  std::vector<float> angles(rope_floats);
  const std::vector<float>& divisors = weights_.rope_pair_divisors;
  kernels::FillRopeTable(options_.positions_max,
                         {.head_dim = config_.head_dim,
                          .freq_base = config_.rope_freq_base,
                          .position_divisor = config_.rope_position_divisor,
                          .pair_divisors = divisors.empty() ? nullptr : divisors.data()},
                         angles.data());
  const gpu::Stream stream = compute_.get();
  RETURN_IF_DEVICE_ERROR(gpu::CopyToDevice(rope_table_.get(), angles.data(), rope_floats * sizeof(float), stream),
                         "setup");
  RETURN_IF_DEVICE_ERROR(gpu::Fill(gemm_workspace_.get(), 0, gpu::kGemmWorkspaceBytes, stream), "setup");
  // The kernels' workspaces among the buffers must be zero at first.
  RETURN_IF_DEVICE_ERROR(gpu::Fill(step_memory_.get(), 0, plan.bytes(), stream), "setup");
  RETURN_IF_DEVICE_ERROR(gpu::Synchronize(stream), "setup");
  gpu::GemmContext* context = nullptr;
  RETURN_IF_DEVICE_ERROR(gpu::MakeGemmContext(gemm_workspace_.get(), &context), "the context of products");
  gemm_ = DeviceGemmContext(context);
  return absl::OkStatus();
}

// NCCL takes memory for its channels when a sum of a new size first runs; it should have it before the KV pool does.
absl::Status LlamaGpuModel::WarmUpCollectives() {
  for (std::int64_t rows : {std::int64_t{1}, std::int64_t{options_.rows_max}}) {
    const LaunchResult summed =
        gpu::AllReduceSum(shard_.communicator, buffers_.x, rows * config_.width, compute_.get());
    if (absl::Status status = Told(summed, "summing over the cards"); !status.ok()) return status;
  }
  return Told(gpu::Synchronize(compute_.get()), "summing over the cards");
}

absl::StatusOr<std::int32_t> LlamaGpuModel::ChooseBlocks() const {
  if (options_.blocks_total > 0) return options_.blocks_total;
  gpu::DeviceInfo now{};
  RETURN_IF_DEVICE_ERROR(gpu::FindDevice(options_.ordinal, &now), "asking for free memory");
  const std::int64_t free = now.memory_free_bytes - std::max(kReserveBytesMin, now.memory_bytes / kReserveShare);
  const std::int64_t blocks = std::min(free / (kv_bytes_per_token() * options_.block_size) - 1, kBlocksMax);
  if (blocks < 1) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory left for KV blocks: ", now.memory_free_bytes >> 20,
                                                     " MiB free after the weights; ",
                                                     "choose smaller weights, or lower step_tokens_max"));
  }
  return static_cast<std::int32_t>(blocks);
}

absl::Status LlamaGpuModel::Complete(std::int32_t blocks) {
  if (absl::Status status = TakeKvPool(blocks); !status.ok()) return status;
  return WarmUp();
}

// Last, because it may take all that is left.
absl::Status LlamaGpuModel::TakeKvPool(std::int32_t blocks) {
  options_.blocks_total = blocks;
  const std::int64_t tokens = std::int64_t{blocks} * options_.block_size;
  options_.positions_max = static_cast<std::int32_t>(std::min<std::int64_t>(options_.positions_max, tokens));
  const auto bytes = static_cast<std::size_t>((tokens + options_.block_size) * kv_bytes_per_token());
  absl::StatusOr<DeviceMemory> pool = AllocateDevice(bytes, absl::StrCat(options_.blocks_total, " KV blocks"));
  if (!pool.ok()) return pool.status();
  kv_pool_ = *std::move(pool);
  return absl::OkStatus();
}

// One step of each kind over the padding's block: a fault, or a kernel that refuses the model's shapes, shows now and
// not at the first turn, and the device has loaded what it needs. All sequences write the same values there.
absl::Status LlamaGpuModel::WarmUp() {
  const std::int32_t chunk = std::min({options_.rows_max, options_.block_size, options_.positions_max});
  // The library of large products loads at its first use; the emulator has none.
  const std::int32_t chunks = device_.emulated ? 1 : std::min(options_.rows_max / chunk, options_.samples_max);
  for (const auto& [sequences, rows] : {std::pair{1, 1}, std::pair{chunks, chunk}}) {
    kvcache::StepBatch batch;
    batch.Clear();
    for (std::int32_t s = 0; s < sequences; ++s) {
      for (std::int32_t row = 0; row < rows; ++row) {
        batch.token_ids.push_back(0);
        batch.positions.push_back(row);
      }
      batch.row_begin.push_back(batch.rows());
      batch.block_ids.push_back(static_cast<std::uint32_t>(options_.blocks_total));
      batch.block_begin.push_back(s + 1);
      batch.logit_rows.push_back(batch.rows() - 1);
    }
    const std::vector<StepSample> greedy(batch.logit_rows.size());
    if (absl::Status status = Enqueue(batch, greedy); !status.ok()) return status;
    if (absl::Status status = Collect().status(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace model
