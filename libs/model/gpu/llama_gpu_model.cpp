#include "libs/model/gpu/llama_gpu_model.h"

#include <algorithm>

#include "kernels/primitives/gpu/random_fill_gpu.h"
#include "libs/base/check.h"
#include "libs/model/gpu/step_shape.h"

namespace model {

namespace gpu = kernels::gpu;
using gpu::LaunchResult;

LlamaGpuModel::LlamaGpuModel(const DecoderConfig& config, const GpuModelOptions& options, const gpu::DeviceInfo& device,
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
  CHECK_MSG(batch.swap_out.empty() && batch.swap_in.empty(), "a device has no host slots");
  CHECK(batch.copies.size() <= static_cast<std::size_t>(batch.sequences()));
  for (const kvcache::BlockMove& copy : batch.copies) {
    CHECK(std::max(copy.from, copy.to) < static_cast<std::uint32_t>(options_.blocks_total));
  }
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
  for (std::size_t i = 0; i < batch.copies.size(); ++i) {
    to.block_copies[2 * i] = batch.copies[i].from;
    to.block_copies[2 * i + 1] = batch.copies[i].to;
  }
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
  if (absl::Status status = Told(Start(plan, block_ids, batch, samples), "starting a step"); !status.ok()) {
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

// Behind the step in flight, which may still write what is copied, and before this one's rows. One launch copies in no
// order, so a block that was the source of one copy and is the target of a later one begins another.
LaunchResult LlamaGpuModel::CopyBlocks(std::span<const kvcache::BlockMove> copies, const std::uint32_t* on_device) {
  const std::int64_t block_bytes = kv_bytes_per_token() / (2 * config_.layers) * options_.block_size;
  const std::int32_t blocks = options_.blocks_total + 1;
  for (std::size_t begin = 0, end = 0; begin < copies.size(); begin = end) {
    const auto waits = [&](const kvcache::BlockMove& copy) {
      const auto together = copies.subspan(begin, end - begin);
      return std::ranges::any_of(together, [&](const auto& before) {
        return copy.to == before.from || copy.to == before.to || copy.from == before.to;
      });
    };
    while (end < copies.size() && (end == begin || !waits(copies[end]))) ++end;
    GPU_RETURN_IF_ERROR(gpu::CopyBlocks({.pool = kv_pool_.get(),
                                         .plane_bytes = block_bytes * blocks,
                                         .block_bytes = block_bytes,
                                         .planes = 2 * config_.layers,
                                         .blocks_total = blocks,
                                         .pairs = on_device + 2 * begin,
                                         .count = static_cast<std::int32_t>(end - begin)},
                                        compute_.get()));
  }
  return LaunchResult::Ok();
}

LaunchResult LlamaGpuModel::Start(const StepPlan& plan, std::int64_t block_ids, const kvcache::StepBatch& batch,
                                  std::span<const StepSample> samples) {
  const StepSlot& slot = slots_[steps_enqueued_ % kStepsInFlight];
  const std::size_t bytes =
      slot.OnHost(plan.sizes).bytes_before_blocks + static_cast<std::size_t>(block_ids) * sizeof(std::uint32_t);
  GPU_RETURN_IF_ERROR(gpu::CopyToDevice(slot.device.get(), slot.host.get(), bytes, copy_.get()));
  GPU_RETURN_IF_ERROR(gpu::Record(slot.uploaded.get(), copy_.get()));
  GPU_RETURN_IF_ERROR(gpu::StreamWait(compute_.get(), slot.uploaded.get()));
  GPU_RETURN_IF_ERROR(UploadSeen(samples, slot));
  GPU_RETURN_IF_ERROR(gpu::Record(slot.started.get(), compute_.get()));
  GPU_RETURN_IF_ERROR(CopyBlocks(batch.copies, slot.OnDevice(plan.sizes).block_copies));
  GPU_RETURN_IF_ERROR(RunOrReplay(plan));
  return gpu::Record(slot.done.get(), compute_.get());
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
