#include "libs/model/decoder_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/check.h"

namespace model {
namespace {

absl::Status CheckOptions(const DecoderOptions& options) {
  const struct {
    const char* name;
    std::int64_t value, max;
  } bounds[] = {{"threads", options.threads, 256},
                {"kv_blocks", options.blocks_total, 1 << 24},
                {"block_size", options.block_size, kernels::kKvBlockSizeMax},
                {"step_tokens_max", options.rows_max, 1 << 16},
                {"sequences_max", options.samples_max, 4096},
                {"context_tokens_max", options.positions_max, 1 << 24}};
  for (const auto& bound : bounds) {
    if (bound.value < 1 || bound.value > bound.max) {
      return absl::InvalidArgumentError(
          absl::StrCat(bound.name, " is ", bound.value, ", must be in [1, ", bound.max, "]"));
    }
  }
  return absl::OkStatus();
}

kernels::KvFormat FormatOf(kvcache::KvDtype dtype) {
  if (dtype == kvcache::KvDtype::kQ8) return kernels::KvFormat::kQ8;
  return dtype == kvcache::KvDtype::kF32 ? kernels::KvFormat::kF32 : kernels::KvFormat::kF16;
}

}  // namespace

absl::StatusOr<std::unique_ptr<DecoderModel>> DecoderModel::Load(std::shared_ptr<const tensor::GgufFile> file,
                                                                 const DecoderOptions& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  absl::StatusOr<DecoderConfig> config = DecoderConfig::FromGguf(*file);
  if (!config.ok()) return config.status();
  if (config->heads / config->kv_heads > kernels::kQueriesMax) {
    return absl::FailedPreconditionError(absl::StrCat(
        config->heads / config->kv_heads, " query heads share a key/value head; supported are ", kernels::kQueriesMax));
  }
  absl::StatusOr<DecoderWeights> weights = DecoderWeights::FromGguf(*file, *config);
  if (!weights.ok()) return weights.status();
  absl::StatusOr<kvcache::KvPool> pool = kvcache::KvPool::Create({.layers = config->layers,
                                                                  .blocks_total = options.blocks_total + options.swap_blocks,
                                                                  .kv_heads = config->kv_heads,
                                                                  .block_size = options.block_size,
                                                                  .head_dim = config->head_dim,
                                                                  .dtype = options.kv_dtype});
  if (!pool.ok()) return pool.status();
  try {
    return std::unique_ptr<DecoderModel>(
        new DecoderModel(std::move(file), options, *config, *std::move(weights), *std::move(pool)));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("no memory for a step's buffers; lower step_tokens_max or sequences_max");
  }
}

DecoderModel::DecoderModel(std::shared_ptr<const tensor::GgufFile> file, const DecoderOptions& options,
                           const DecoderConfig& config, DecoderWeights weights, kvcache::KvPool pool)
    : file_(std::move(file)),
      options_(options),
      config_(config),
      weights_(std::move(weights)),
      kernels_(options.kernels != nullptr ? *options.kernels : kernels::BestCpuKernels()),
      pool_(std::move(pool)),
      threads_(options.threads),
      products_(kernels_, threads_, std::max(options.rows_max, options.samples_max),
                std::max({config.width, config.q_width(), config.ffn_width})),
      attention_(kernels_, threads_,
                 {.heads = config.heads,
                  .kv_heads = config.kv_heads,
                  .head_dim = config.head_dim,
                  .block_size = options.block_size},
                 options.rows_max),
      rope_table_(std::int64_t{options.positions_max} * 2 * config.head_dim),
      x_(std::int64_t{options.rows_max} * config.width),
      qkv_(std::int64_t{options.rows_max} * (config.q_width() + 2 * config.kv_width())),
      attended_(std::int64_t{options.rows_max} * config.q_width()),
      gate_up_(std::int64_t{options.rows_max} * 2 * config.ffn_width),
      logits_(std::int64_t{options.samples_max} * config.vocabulary),
      sequence_of_row_(static_cast<std::size_t>(options.rows_max)) {
  CHECK(static_cast<std::size_t>(LayerKv(0).BlockBytes()) == pool_.block_bytes());
  kernels::FillRopeTable(options.positions_max, config.head_dim, config.rope_freq_base, rope_table_.data());
  for (const DecoderLayer& layer : weights_.layers) {
    layers_.push_back({.q = Prepare(layer.q),
                       .k = Prepare(layer.k),
                       .v = Prepare(layer.v),
                       .attention_output = Prepare(layer.attention_output),
                       .gate = Prepare(layer.gate),
                       .up = Prepare(layer.up),
                       .down = Prepare(layer.down)});
  }
  output_ = Prepare(weights_.output);
}

// What was packed need not stay in memory as it lies in the file: it is read again where a row of the embedding is.
ProductMatrix DecoderModel::Prepare(const WeightMatrix& matrix) {
  ProductMatrix prepared = products_.Prepare(matrix, options_.activations == Activations::kInt8);
  const std::int64_t file_bytes = matrix.rows * kernels::RowBytes(matrix.format, matrix.cols);
  weight_bytes_ += prepared.packed != nullptr ? prepared.packed_bytes : file_bytes;
  if (prepared.packed != nullptr) {
    file_->ReleasePages({reinterpret_cast<const std::byte*>(matrix.data), static_cast<std::size_t>(file_bytes)});
  }
  return prepared;
}

void DecoderModel::CheckBatch(const kvcache::StepBatch& batch) const {
  CHECK(batch.rows() <= options_.rows_max && batch.samples() <= options_.samples_max);
  CHECK(batch.positions.size() == batch.token_ids.size());
  for (std::int32_t token : batch.token_ids) CHECK(token >= 0 && token < config_.vocabulary);
  for (std::int32_t position : batch.positions) CHECK(position >= 0 && position < options_.positions_max);
  for (std::uint32_t block : batch.block_ids) CHECK(block < static_cast<std::uint32_t>(options_.blocks_total));
  for (std::int32_t row : batch.logit_rows) CHECK(row >= 0 && row < batch.rows());
  for (std::size_t s = 0; s + 1 < batch.row_begin.size(); ++s) {
    const std::int32_t last_row = batch.row_begin[s + 1] - 1;
    const std::int64_t slots = std::int64_t{batch.block_begin[s + 1] - batch.block_begin[s]} * options_.block_size;
    CHECK(last_row >= batch.row_begin[s] && batch.positions[static_cast<std::size_t>(last_row)] < slots);
  }
}

// Host slots are the blocks of the pool that no table names. KvPool checks that a block is one of its own.
void DecoderModel::MoveBlocks(const kvcache::StepBatch& batch) const {
  const auto slots = static_cast<std::uint32_t>(options_.blocks_total);
  const auto copy = [&](std::uint32_t from, std::uint32_t to) {
    pool_.CopyBlock(kvcache::BlockId{from}, kvcache::BlockId{to});
  };
  for (const kvcache::BlockMove& move : batch.swap_out) copy(move.from, slots + move.to);
  for (const kvcache::BlockMove& move : batch.copies) copy(move.from, move.to);
  for (const kvcache::BlockMove& move : batch.swap_in) copy(slots + move.from, move.to);
}

void DecoderModel::ForwardStep(const kvcache::StepBatch& batch) {
  if (batch.rows() == 0) return;
  CheckBatch(batch);
  MoveBlocks(batch);
  for (std::int32_t s = 0; s < batch.sequences(); ++s) {
    const auto at = static_cast<std::size_t>(s);
    std::fill(sequence_of_row_.begin() + batch.row_begin[at], sequence_of_row_.begin() + batch.row_begin[at + 1], s);
  }
  Embed(batch);
  for (std::int32_t layer = 0; layer < config_.layers; ++layer) {
    Attention(batch, layer);
    FeedForward(layer, batch.rows());
  }
  Logits(batch);
}

void DecoderModel::Embed(const kvcache::StepBatch& batch) {
  const WeightMatrix& embedding = weights_.token_embedding;
  const std::int64_t row_bytes = kernels::RowBytes(embedding.format, embedding.cols);
  for (std::int64_t row = 0; row < batch.rows(); ++row) {
    const std::int64_t token = batch.token_ids[static_cast<std::size_t>(row)];
    kernels_.dequantize_row(embedding.format, embedding.data + token * row_bytes, config_.width,
                            x_.data() + row * config_.width);
  }
}

kernels::PagedKv DecoderModel::LayerKv(std::int32_t layer) const {
  return {.k = pool_.k(layer),
          .v = pool_.v(layer),
          .format = FormatOf(options_.kv_dtype),
          .kv_heads = config_.kv_heads,
          .block_size = options_.block_size,
          .head_dim = config_.head_dim};
}

float* DecoderModel::Norm(std::int64_t row, const std::vector<float>& weight, float* to) const {
  kernels_.rms_norm(x_.data() + row * config_.width, weight.data(), config_.rms_epsilon, 1, config_.width, to);
  return to;
}

// x += W_o attention(rope(W_q n), rope(W_k n), W_v n), n = norm(x)
void DecoderModel::Attention(const kvcache::StepBatch& batch, std::int32_t layer_index) {
  const LayerProducts& layer = layers_[static_cast<std::size_t>(layer_index)];
  const std::vector<float>& norm = weights_.layers[static_cast<std::size_t>(layer_index)].attention_norm;
  const std::int64_t rows = batch.rows();
  const std::int64_t width = config_.width, q_width = config_.q_width(), kv_width = config_.kv_width();
  const std::int64_t qkv_width = q_width + 2 * kv_width;
  const std::array<MatrixProducts::Product, 3> qkv{{
      {&layer.q, qkv_.data(), qkv_width, false},
      {&layer.k, qkv_.data() + q_width, qkv_width, false},
      {&layer.v, qkv_.data() + q_width + kv_width, qkv_width, false},
  }};
  products_.Run("qkv", qkv, rows, [&](std::int64_t row, float* scratch) { return Norm(row, norm, scratch); });

  const kernels::PagedKv kv = LayerKv(layer_index);
  const auto blocks_of_row = [&](std::int64_t row) {
    const auto sequence = static_cast<std::size_t>(sequence_of_row_[static_cast<std::size_t>(row)]);
    return batch.block_ids.data() + batch.block_begin[sequence];
  };
  // Keys and values of all rows are stored before any row attends: later rows of a chunk see the earlier ones.
  constexpr std::int64_t kTogether = MatrixProducts::kRowsPerTask;
  threads_.Run((rows + kTogether - 1) / kTogether,
               [&](std::int64_t task, int) {
                 for (std::int64_t row = task * kTogether; row < std::min(rows, (task + 1) * kTogether); ++row) {
                   float* q = qkv_.data() + row * qkv_width;
                   const std::int64_t position = batch.positions[static_cast<std::size_t>(row)];
                   const float* angles = rope_table_.data() + position * 2 * config_.head_dim;
                   kernels_.rope_row(q, config_.heads + config_.kv_heads, config_.head_dim,
                                     angles);  // Q and K lie side by side
                   kernels_.store_kv(kv, blocks_of_row(row)[position / options_.block_size],
                                     position % options_.block_size, q + q_width, q + q_width + kv_width);
                 }
               },
               {"rope_store_kv", "", rows});
  attention_.Run(batch, {.kv = kv,
                         .scale = 1.0F / std::sqrt(static_cast<float>(config_.head_dim)),
                         .window = 0,
                         .q = qkv_.data(),
                         .q_stride = qkv_width,
                         .out = attended_.data()});
  const MatrixProducts::Product output{&layer.attention_output, x_.data(), width, true};
  products_.Run("attention_output", {&output, 1}, rows,
                [&](std::int64_t row, float*) { return attended_.data() + row * q_width; });
}

// x += W_down swiglu(W_gate n, W_up n), n = norm(x)
void DecoderModel::FeedForward(std::int32_t layer_index, std::int64_t rows) {
  const LayerProducts& layer = layers_[static_cast<std::size_t>(layer_index)];
  const std::vector<float>& norm = weights_.layers[static_cast<std::size_t>(layer_index)].ffn_norm;
  const std::int64_t ffn_width = config_.ffn_width;
  float* gate = gate_up_.data();
  const auto normed = [&](std::int64_t row, float* scratch) { return Norm(row, norm, scratch); };
  const MatrixProducts::Product down{&layer.down, x_.data(), config_.width, true};
  if (MatrixProducts::CanGate(layer.gate, layer.up)) {
    const MatrixProducts::Product gated{&layer.up, gate, ffn_width, false, &layer.gate};
    products_.Run("gate_up", {&gated, 1}, rows, normed);
    products_.Run("down", {&down, 1}, rows, [&](std::int64_t row, float*) { return gate + row * ffn_width; });
    return;
  }
  float* up = gate + rows * ffn_width;
  const std::array<MatrixProducts::Product, 2> gate_up{{{&layer.gate, gate, ffn_width}, {&layer.up, up, ffn_width}}};
  products_.Run("gate_up", gate_up, rows, normed);
  products_.Run("down", {&down, 1}, rows, [&](std::int64_t row, float* scratch) {
    kernels_.swiglu(gate + row * ffn_width, up + row * ffn_width, ffn_width, scratch);
    return scratch;
  });
}

// Only for the rows that sample: the output matrix is the largest of all.
void DecoderModel::Logits(const kvcache::StepBatch& batch) {
  const MatrixProducts::Product logits{&output_, logits_.data(), config_.vocabulary, false};
  products_.Run("logits", {&logits, 1}, batch.samples(), [&](std::int64_t sample, float* scratch) {
    return Norm(batch.logit_rows[static_cast<std::size_t>(sample)], weights_.output_norm, scratch);
  });
}

std::span<const float> DecoderModel::logits(std::int32_t sample) const {
  return {logits_.data() + std::int64_t{sample} * config_.vocabulary, static_cast<std::size_t>(config_.vocabulary)};
}

}  // namespace model
