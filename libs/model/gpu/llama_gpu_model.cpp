#include "libs/model/gpu/llama_gpu_model.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "kernels/primitives/gpu/collectives.h"
#include "kernels/primitives/gpu/random_fill_gpu.h"
#include "kernels/rope/rope.h"
#include "libs/base/check.h"
#include "libs/model/gpu/step_shape.h"

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

// What the kernels cover of all Llama shapes.
absl::Status CheckShape(const LlamaConfig& config) {
  const auto refused = [](std::string why) {
    return absl::FailedPreconditionError(
        absl::StrCat("the device kernels do not cover this model: ", why, "; --device=cpu does"));
  };
  const std::int32_t head_dim = config.head_dim;
  if (head_dim != 64 && head_dim != 96 && head_dim != 128 && head_dim != 256) {
    return refused(absl::StrCat("heads of ", head_dim, " values, not 64, 96, 128 or 256"));
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

absl::StatusOr<gpu::DeviceInfo> LlamaGpuModel::Open(const LlamaConfig& config, GpuModelOptions& options) {
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
  const absl::StatusOr<LlamaConfig> whole = LlamaConfig::FromGguf(file);
  if (!whole.ok()) return whole.status();
  absl::StatusOr<LlamaWeights> weights = LlamaWeights::FromGguf(file, *whole);
  if (!weights.ok()) return weights.status();
  const LlamaConfig config = ConfigOfRank(*whole, shard);
  const absl::StatusOr<gpu::DeviceInfo> device = Open(config, options);
  if (!device.ok()) return device.status();
  absl::StatusOr<GpuWeights> on_device = GpuWeights::Upload(WeightsOfRank(*std::move(weights), shard), config,
                                                            options.weights, options.load_threads, options.progress);
  options.progress = nullptr;  // the model outlives what it refers to
  if (!on_device.ok()) return on_device.status();
  return Assemble(config, options, *device, *std::move(on_device), shard);
}

absl::StatusOr<std::unique_ptr<LlamaGpuModel>> LlamaGpuModel::Random(const LlamaConfig& config, GpuModelOptions options,
                                                                     std::uint64_t seed) {
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

absl::StatusOr<std::unique_ptr<LlamaGpuModel>> LlamaGpuModel::Assemble(const LlamaConfig& config,
                                                                       const GpuModelOptions& options,
                                                                       const gpu::DeviceInfo& device,
                                                                       GpuWeights weights, const Shard& shard) {
  std::unique_ptr<LlamaGpuModel> model(new LlamaGpuModel(config, options, device, std::move(weights), shard));
  if (absl::Status status = model->TakeMemory(); !status.ok()) return status;
  return model;
}

LlamaGpuModel::LlamaGpuModel(const LlamaConfig& config, const GpuModelOptions& options, const gpu::DeviceInfo& device,
                             GpuWeights weights, const Shard& shard)
    : config_(config),
      options_(options),
      device_(device),
      shard_(shard),
      weights_(std::move(weights)),
      graphs_(static_cast<std::size_t>(std::max(options.graphs_max, 0))) {}

LlamaGpuModel::~LlamaGpuModel() {
  static_cast<void>(gpu::SetDevice(options_.ordinal));
  for (const DeviceStream* stream : {&compute_, &copy_}) {
    if (stream->get() != nullptr) static_cast<void>(gpu::Synchronize(stream->get()));
  }
}

std::int64_t LlamaGpuModel::kv_bytes_per_token() const {
  const gpu::KvFormat format = options_.kv == GpuKvFormat::kFp8 ? gpu::KvFormat::kFp8 : gpu::KvFormat::kBf16;
  return std::int64_t{2} * config_.layers * config_.kv_width() * gpu::KvBytes(format);
}

std::size_t LlamaGpuModel::seen_words() const { return static_cast<std::size_t>((config_.vocabulary + 31) / 32); }

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
  kernels::FillRopeTable(options_.positions_max, config_.head_dim, config_.rope_freq_base, angles.data());
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

void LlamaGpuModel::CheckBatch(const kvcache::StepBatch& batch, std::span<const StepSample> samples) const {
  CHECK(batch.rows() > 0 && batch.rows() <= options_.rows_max && batch.samples() <= options_.samples_max);
  CHECK(batch.sequences() <= options_.samples_max && samples.size() == batch.logit_rows.size());
  CHECK(batch.positions.size() == batch.token_ids.size());
  const std::int32_t before = steps_enqueued_ == 0 ? 0 : samples_[(steps_enqueued_ + 1) % kStepsInFlight];
  for (std::int32_t token : batch.token_ids) CHECK(token >= -before && token < config_.vocabulary);
  for (std::int32_t position : batch.positions) CHECK(position >= 0 && position < options_.positions_max);
  // blocks_total itself is the padding's, which WarmUp uses
  for (std::uint32_t block : batch.block_ids) CHECK(block <= static_cast<std::uint32_t>(options_.blocks_total));
  for (std::int32_t row : batch.logit_rows) CHECK(row >= 0 && row < batch.rows());
  for (const StepSample& sample : samples) {
    CHECK(sample.seen_slot < options_.samples_max);
    CHECK(sample.seen.empty() || (sample.seen_slot >= 0 && sample.seen.size() == seen_words()));
  }
  bool decodes = true;  // so far in the batch
  for (std::size_t s = 0; s + 1 < batch.row_begin.size(); ++s) {
    const std::int32_t rows = batch.row_begin[s + 1] - batch.row_begin[s];
    const auto last_row = static_cast<std::size_t>(batch.row_begin[s + 1] - 1);
    const std::int64_t slots = std::int64_t{batch.block_begin[s + 1] - batch.block_begin[s]} * options_.block_size;
    CHECK(rows > 0 && batch.positions[last_row] < slots);
    decodes = decodes && rows == 1;
  }
}

LlamaGpuModel::StepPlan LlamaGpuModel::PlanStep(const kvcache::StepBatch& batch) const {
  StepPlan plan;
  plan.sizes = {.rows = batch.rows(), .sequences = batch.sequences(), .samples = batch.samples()};
  std::int32_t context = 1;
  for (std::int32_t s = 0; s < batch.sequences(); ++s) {
    const auto at = static_cast<std::size_t>(s);
    const std::int32_t rows = batch.row_begin[at + 1] - batch.row_begin[at];
    if (rows == 1 && plan.decodes == s) {
      ++plan.decodes;
      context = std::max(context, batch.positions[static_cast<std::size_t>(batch.row_begin[at])] + 1);
    } else {
      plan.chunk_max = std::max(plan.chunk_max, rows);
    }
  }
  plan.context_max = ContextBucket(context, options_.positions_max);
  if (plan.decodes == batch.rows() && batch.samples() == batch.rows()) {
    const std::int32_t bucket = RowsBucket(batch.rows(), options_.samples_max);
    plan.sizes = {.rows = bucket, .sequences = bucket, .samples = bucket};
    plan.decodes = bucket;
    plan.captures = graphs_.enabled();
  }
  return plan;
}

std::int64_t LlamaGpuModel::FillArrays(const StepPlan& plan, const kvcache::StepBatch& batch,
                                       std::span<const StepSample> samples, const StepSlot& slot) {
  const StepArrays to = slot.OnHost(plan.sizes);
  auto* seen = static_cast<std::uint32_t*>(seen_.get());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const StepSample& sample = samples[i];
    to.params[i] = {.temperature = sample.temperature,
                    .top_k = sample.top_k,
                    .top_p = sample.top_p,
                    .min_p = sample.min_p,
                    .repetition_penalty = sample.repetition_penalty,
                    .draw = sample.draw,
                    .seed = sample.seed};
    to.seen[i] = sample.seen_slot < 0 ? nullptr : seen + static_cast<std::size_t>(sample.seen_slot) * seen_words();
    to.logit_rows[i] = batch.logit_rows[i];
  }
  std::copy(batch.token_ids.begin(), batch.token_ids.end(), to.token_ids);
  std::copy(batch.positions.begin(), batch.positions.end(), to.positions);
  std::copy(batch.row_begin.begin(), batch.row_begin.end(), to.row_begin);
  std::copy(batch.block_begin.begin(), batch.block_begin.end(), to.block_begin);
  std::copy(batch.block_ids.begin(), batch.block_ids.end(), to.block_ids);
  for (std::int32_t s = 0; s < batch.sequences(); ++s) {
    const std::int32_t begin = batch.row_begin[static_cast<std::size_t>(s)];
    std::fill(to.sequence_of_row + begin, to.sequence_of_row + batch.row_begin[static_cast<std::size_t>(s) + 1], s);
  }
  for (std::int32_t s = std::min(plan.decodes, batch.sequences()); s <= batch.sequences(); ++s) {
    to.prefill_row_begin[s - std::min(plan.decodes, batch.sequences())] =
        batch.row_begin[static_cast<std::size_t>(s)] - std::min(plan.decodes, batch.rows());
  }
  // Padding: token 0 at position 0 of the block that is nobody's. All of it writes the same values there.
  auto blocks = static_cast<std::int64_t>(batch.block_ids.size());
  for (std::int32_t row = batch.rows(); row < plan.sizes.rows; ++row) {
    to.params[row] = {};
    to.params[row].top_p = to.params[row].repetition_penalty = 1.0F;
    to.seen[row] = nullptr;
    to.logit_rows[row] = to.sequence_of_row[row] = row;
    to.token_ids[row] = to.positions[row] = 0;
    to.row_begin[row + 1] = row + 1;
    to.block_ids[blocks++] = static_cast<std::uint32_t>(options_.blocks_total);
    to.block_begin[row + 1] = static_cast<std::int32_t>(blocks);
  }
  return blocks;
}

absl::Status LlamaGpuModel::Enqueue(const kvcache::StepBatch& batch, std::span<const StepSample> samples) {
  CHECK(steps_in_flight_ < kStepsInFlight);
  CheckBatch(batch, samples);
  if (absl::Status status = Told(gpu::SetDevice(options_.ordinal), "choosing the device"); !status.ok()) return status;
  const std::size_t index = steps_enqueued_ % kStepsInFlight;
  const StepPlan plan = PlanStep(batch);
  const std::int64_t block_ids = FillArrays(plan, batch, samples, slots_[index]);
  if (absl::Status status = Told(Start(plan, block_ids, samples), "starting a step"); !status.ok()) {
    // What was enqueued before the error still reads this step's slot, which the next step fills anew.
    for (const DeviceStream* stream : {&copy_, &compute_}) {
      if (const LaunchResult waited = gpu::Synchronize(stream->get()); LostDevice(waited)) device_lost_ = true;
    }
    return status;
  }
  samples_[index] = batch.samples();
  ++steps_enqueued_;
  ++steps_in_flight_;
  return absl::OkStatus();
}

LaunchResult LlamaGpuModel::UploadSeen(std::span<const StepSample> samples, const StepSlot& slot) {
  auto* host = static_cast<std::uint32_t*>(slot.seen.get());
  auto* device = static_cast<std::uint32_t*>(seen_.get());
  for (const StepSample& sample : samples) {
    if (sample.seen.empty()) continue;
    const std::size_t at = static_cast<std::size_t>(sample.seen_slot) * seen_words();
    std::copy(sample.seen.begin(), sample.seen.end(), host + at);
    // In the order of the steps: the one in flight may still use the slot for another sequence.
    GPU_RETURN_IF_ERROR(gpu::CopyToDevice(device + at, host + at, sample.seen.size_bytes(), compute_.get()));
  }
  return LaunchResult::Ok();
}

LaunchResult LlamaGpuModel::Start(const StepPlan& plan, std::int64_t block_ids, std::span<const StepSample> samples) {
  const StepSlot& slot = slots_[steps_enqueued_ % kStepsInFlight];
  const std::size_t bytes =
      slot.OnHost(plan.sizes).bytes_before_blocks + static_cast<std::size_t>(block_ids) * sizeof(std::uint32_t);
  GPU_RETURN_IF_ERROR(gpu::CopyToDevice(slot.device.get(), slot.host.get(), bytes, copy_.get()));
  GPU_RETURN_IF_ERROR(gpu::Record(slot.uploaded.get(), copy_.get()));
  GPU_RETURN_IF_ERROR(gpu::StreamWait(compute_.get(), slot.uploaded.get()));
  GPU_RETURN_IF_ERROR(UploadSeen(samples, slot));
  GPU_RETURN_IF_ERROR(gpu::Record(slot.started.get(), compute_.get()));
  GPU_RETURN_IF_ERROR(RunOrReplay(plan));
  return gpu::Record(slot.done.get(), compute_.get());
}

// A shape is captured when it comes the second time: the first run loads what its kernels need, which a capture
// forbids, and a shape that never comes back is not worth a graph.
LaunchResult LlamaGpuModel::RunOrReplay(const StepPlan& plan) {
  if (!plan.captures || no_memory_for_graphs_) return Run(plan);
  const GraphKey key{plan.sizes.rows, plan.context_max, static_cast<int>(steps_enqueued_ % kStepsInFlight)};
  gpu::Graph graph = graphs_.Find(key);
  if (graph == nullptr) {
    const std::pair shape{key.rows, key.context_max};
    if (std::find(shapes_met_.begin(), shapes_met_.end(), shape) == shapes_met_.end()) {
      shapes_met_.push_back(shape);
      return Run(plan);
    }
    GPU_RETURN_IF_ERROR(gpu::BeginCapture(compute_.get()));
    const LaunchResult captured = Run(plan);
    const LaunchResult ended = gpu::EndCapture(compute_.get(), &graph);  // in any case: it ends the stream's capturing
    DeviceGraph owned(graph);
    for (const LaunchResult& result : {captured, ended}) {
      if (result.code() == LaunchResult::Code::kNoMemory) return RunWithoutGraphs(plan);
    }
    GPU_RETURN_IF_ERROR(captured);
    GPU_RETURN_IF_ERROR(ended);
    graphs_.Put(key, std::move(owned));
  }
  const LaunchResult started = gpu::StartGraph(graph, compute_.get());
  return started.code() == LaunchResult::Code::kNoMemory ? RunWithoutGraphs(plan) : started;
}

// Graphs only spare the host's time: where the device has no memory for one, none is tried again.
LaunchResult LlamaGpuModel::RunWithoutGraphs(const StepPlan& plan) {
  no_memory_for_graphs_ = true;
  return Run(plan);
}

absl::StatusOr<std::span<const std::int32_t>> LlamaGpuModel::Collect() {
  CHECK(steps_in_flight_ > 0);
  --steps_in_flight_;
  const std::size_t index = steps_collected_++ % kStepsInFlight;
  absl::Status status = Told(gpu::SetDevice(options_.ordinal), "choosing the device");
  if (status.ok()) status = Told(gpu::Synchronize(slots_[index].done.get()), "running a step");
  if (!status.ok()) return status;
  return std::span(static_cast<const std::int32_t*>(slots_[index].picks.get()),
                   static_cast<std::size_t>(samples_[index]));
}

absl::StatusOr<std::vector<float>> LlamaGpuModel::ReadLogits(std::int32_t samples) {
  CHECK(steps_in_flight_ == 0 && samples <= options_.samples_max);
  const auto stride = static_cast<std::size_t>(buffers_.logits_stride), count = static_cast<std::size_t>(samples);
  std::vector<float> padded(count * stride), logits;
  RETURN_IF_DEVICE_ERROR(gpu::CopyToHost(padded.data(), buffers_.logits, padded.size() * sizeof(float), compute_.get()),
                         "reading logits");
  if (absl::Status status = Told(gpu::Synchronize(compute_.get()), "reading logits"); !status.ok()) return status;
  for (std::size_t i = 0; i < count; ++i) {
    const auto row = padded.begin() + static_cast<std::ptrdiff_t>(i * stride);
    logits.insert(logits.end(), row, row + config_.vocabulary);
  }
  return logits;
}

absl::Status LlamaGpuModel::FillKvForBenchmark() {
  CHECK(steps_in_flight_ == 0);
  const std::int64_t bytes = kv_bytes_per_token() * options_.block_size * (std::int64_t{options_.blocks_total} + 1);
  constexpr std::uint8_t kHalf = 0x30;  // 0.5 in E4M3, where random bytes would hold NaN
  const LaunchResult filled =
      options_.kv == GpuKvFormat::kFp8
          ? gpu::Fill(kv_pool_.get(), kHalf, static_cast<std::size_t>(bytes), compute_.get())
          : gpu::FillRandomBf16(static_cast<gpu::Bf16*>(kv_pool_.get()), bytes / 2, 1.0F, /*seed=*/1, compute_.get());
  if (absl::Status status = Told(filled, "filling the KV pool"); !status.ok()) return status;
  return Told(gpu::Synchronize(compute_.get()), "filling the KV pool");
}

void LlamaGpuModel::RunOnlyForBenchmark(std::optional<StepPart> part) {
  CHECK(steps_in_flight_ == 0);
  only_part_ = part;
  graphs_.Clear();
  shapes_met_.clear();
}

absl::StatusOr<double> LlamaGpuModel::StepSeconds() {
  CHECK(options_.timing && steps_collected_ > 0);
  const StepSlot& slot = slots_[(steps_collected_ - 1) % kStepsInFlight];
  double seconds = 0.0;
  RETURN_IF_DEVICE_ERROR(gpu::ElapsedSeconds(slot.started.get(), slot.done.get(), &seconds), "timing a step");
  return seconds;
}

absl::Status LlamaGpuModel::Told(const LaunchResult& result, const char* what) {
  if (LostDevice(result)) device_lost_ = true;
  return ToStatus(result, what);
}

}  // namespace model
