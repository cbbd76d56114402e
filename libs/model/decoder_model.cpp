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
    std::int64_t value, max, min = 1;
  } bounds[] = {{"threads", options.threads, 256},
                {"kv_blocks", options.blocks_total, 1 << 24},
                {"swap_blocks", options.swap_blocks, 1 << 24, 0},
                {"block_size", options.block_size, kernels::kKvBlockSizeMax},
                {"step_tokens_max", options.rows_max, 1 << 16},
                {"sequences_max", options.samples_max, 4096},
                {"context_tokens_max", options.positions_max, 1 << 24}};
  for (const auto& bound : bounds) {
    if (bound.value < bound.min || bound.value > bound.max) {
      return absl::InvalidArgumentError(
          absl::StrCat(bound.name, " is ", bound.value, ", must be in [", bound.min, ", ", bound.max, "]"));
    }
  }
  return absl::OkStatus();
}

kernels::KvFormat FormatOf(kvcache::KvDtype dtype) {
  if (dtype == kvcache::KvDtype::kQ8) return kernels::KvFormat::kQ8;
  return dtype == kvcache::KvDtype::kF32 ? kernels::KvFormat::kF32 : kernels::KvFormat::kF16;
}

}  // namespace

std::optional<kvcache::KvDtype> KvDtypeNamed(std::string_view name) {
  if (name == "auto") {
    const bool byte_products = &kernels::BestCpuKernels() == kernels::CpuKernelsFor(kernels::CpuTarget::kAvx512Vnni);
    return byte_products ? kvcache::KvDtype::kQ8 : kvcache::KvDtype::kF16;
  }
  if (name == "f16") return kvcache::KvDtype::kF16;
  if (name == "q8") return kvcache::KvDtype::kQ8;
  return std::nullopt;
}

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
  absl::StatusOr<kvcache::KvPool> pool =
      kvcache::KvPool::Create({.layers = config->layers,
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
      local_rope_table_(config.window > 0 ? std::int64_t{options.positions_max} * 2 * config.head_dim : 0),
      x_(std::int64_t{options.rows_max} * config.width),
      branch_(config.post_norms ? std::int64_t{options.rows_max} * config.width : 0),
      qkv_(std::int64_t{options.rows_max} * (config.q_width() + 2 * config.kv_width())),
      attended_(std::int64_t{options.rows_max} * config.q_width()),
      gate_up_(std::int64_t{options.rows_max} * 2 * config.ffn_width),
      logits_(std::int64_t{options.samples_max} * config.vocabulary),
      sequence_of_row_(static_cast<std::size_t>(options.rows_max)) {
  CHECK(static_cast<std::size_t>(LayerKv(0).BlockBytes()) == pool_.block_bytes());
  kernels::RopeAngles angles{
      .head_dim = config.head_dim, .freq_base = config.local_rope_freq_base, .pairs = config.rope_pairs};
  if (config.window > 0) kernels::FillRopeTable(options.positions_max, angles, local_rope_table_.data());
  angles.freq_base = config.rope_freq_base;
  angles.position_divisor = config.rope_position_divisor;
  if (!weights_.rope_pair_divisors.empty()) angles.pair_divisors = weights_.rope_pair_divisors.data();
  kernels::FillRopeTable(options.positions_max, angles, rope_table_.data());
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
  CHECK(std::is_sorted(batch.logit_rows.begin(), batch.logit_rows.end()));
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
  const kvcache::StepBatch* left = &batch;
  for (std::int32_t layer = 0; layer < config_.layers; ++layer) {
    if (on_layer_) on_layer_();
    QueriesKeysAndValues(batch, layer);
    if (layer + 1 == config_.layers) left = &KeepSampledRows(batch);
    Attention(*left, layer);
    FeedForward(layer, left->rows());
  }
  Logits(*left);
}

// Behind the last keys and values a row serves nothing but its own logits. What is left of the step: the rows that
// sample, moved to the front, each as a sequence of its own.
const kvcache::StepBatch& DecoderModel::KeepSampledRows(const kvcache::StepBatch& batch) {
  std::int32_t distinct = 0, last = -1;
  for (std::int32_t row : batch.logit_rows) distinct += std::exchange(last, row) != row ? 1 : 0;
  if (distinct == batch.rows()) return batch;

  sampled_.ClearRows();
  last = -1;
  for (std::int32_t row : batch.logit_rows) {
    if (row != last) {
      const auto at = static_cast<std::size_t>(row);
      const auto sequence = static_cast<std::size_t>(sequence_of_row_[at]);
      const auto blocks = batch.block_ids.begin();
      sampled_.token_ids.push_back(batch.token_ids[at]);
      sampled_.positions.push_back(batch.positions[at]);
      sampled_.block_ids.insert(sampled_.block_ids.end(), blocks + batch.block_begin[sequence],
                                blocks + batch.block_begin[sequence + 1]);
      sampled_.row_begin.push_back(sampled_.rows());
      sampled_.block_begin.push_back(static_cast<std::int32_t>(sampled_.block_ids.size()));
    }
    last = row;
    sampled_.logit_rows.push_back(sampled_.rows() - 1);
  }
  const std::int64_t qkv_width = config_.q_width() + 2 * config_.kv_width();
  const auto move_up = [](float* rows, std::int64_t width, std::int64_t from, std::int64_t to) {
    std::memmove(rows + to * width, rows + from * width, static_cast<std::size_t>(width) * sizeof(float));
  };
  for (std::size_t sample = 0; sample < batch.logit_rows.size(); ++sample) {
    move_up(x_.data(), config_.width, batch.logit_rows[sample], sampled_.logit_rows[sample]);
    move_up(qkv_.data(), qkv_width, batch.logit_rows[sample], sampled_.logit_rows[sample]);
  }
  return sampled_;
}

void DecoderModel::Embed(const kvcache::StepBatch& batch) {
  const WeightMatrix& embedding = weights_.token_embedding;
  const std::int64_t row_bytes = kernels::RowBytes(embedding.format, embedding.cols);
  ForRows(threads_, batch.rows(),
          [&](std::int64_t row, int) {
            const std::int64_t token = batch.token_ids[static_cast<std::size_t>(row)];
            float* x = x_.data() + row * config_.width;
            kernels_.dequantize_row(embedding.format, embedding.data + token * row_bytes, config_.width, x);
            if (config_.embedding_scale == 1.0F) return;
            for (std::int32_t i = 0; i < config_.width; ++i) x[i] *= config_.embedding_scale;
          },
          {"embed", "", batch.rows()});
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

const float* DecoderModel::Angles(std::int32_t layer, std::int64_t position) const {
  const AlignedFloats& table = config_.is_local(layer) ? local_rope_table_ : rope_table_;
  return table.data() + position * 2 * config_.head_dim;
}

void DecoderModel::FinishQkv(const DecoderLayer& layer, const float* angles, float* qkv) const {
  const std::int64_t heads = config_.heads, kv_heads = config_.kv_heads, head_dim = config_.head_dim;
  for (std::size_t i = 0; i < layer.qkv_bias.size(); ++i) qkv[i] += layer.qkv_bias[i];
  if (config_.qk_norm) {
    float* k = qkv + config_.q_width();
    kernels_.rms_norm(qkv, layer.q_norm.data(), config_.rms_epsilon, heads, head_dim, qkv);
    kernels_.rms_norm(k, layer.k_norm.data(), config_.rms_epsilon, kv_heads, head_dim, k);
  }
  kernels_.rope_row(qkv, heads + kv_heads, head_dim, config_.rope_pairs, angles);  // Q and K lie side by side
}

MatrixProducts::Product DecoderModel::ToResidual(const ProductMatrix& w) const {
  return {&w, config_.post_norms ? branch_.data() : x_.data(), config_.width, /*accumulate=*/!config_.post_norms};
}

void DecoderModel::AddBranch(const std::vector<float>& post_norm, std::int64_t rows) {
  if (post_norm.empty()) return;  // the product has added it
  const std::int64_t width = config_.width;
  ForRows(threads_, rows,
          [&](std::int64_t row, int) {
            float* branch = branch_.data() + row * width;
            float* x = x_.data() + row * width;
            kernels_.rms_norm(branch, post_norm.data(), config_.rms_epsilon, 1, width, branch);
            for (std::int64_t i = 0; i < width; ++i) x[i] += branch[i];
          },
          {"add_branch", "", rows});
}

// rope(W_q n), rope(W_k n), W_v n, n = norm(x), with the biases and norms that the layer has; keys and values stored
void DecoderModel::QueriesKeysAndValues(const kvcache::StepBatch& batch, std::int32_t layer_index) {
  const LayerProducts& products = layers_[static_cast<std::size_t>(layer_index)];
  const DecoderLayer& layer = weights_.layers[static_cast<std::size_t>(layer_index)];
  const std::int64_t rows = batch.rows();
  const std::int64_t q_width = config_.q_width(), kv_width = config_.kv_width();
  const std::int64_t qkv_width = q_width + 2 * kv_width;
  const std::array<MatrixProducts::Product, 3> qkv{{
      {&products.q, qkv_.data(), qkv_width},
      {&products.k, qkv_.data() + q_width, qkv_width},
      {&products.v, qkv_.data() + q_width + kv_width, qkv_width},
  }};
  products_.Run("qkv", qkv, rows,
                [&](std::int64_t row, float* scratch) { return Norm(row, layer.attention_norm, scratch); });

  const kernels::PagedKv kv = LayerKv(layer_index);
  const auto blocks_of_row = [&](std::int64_t row) {
    const auto sequence = static_cast<std::size_t>(sequence_of_row_[static_cast<std::size_t>(row)]);
    return batch.block_ids.data() + batch.block_begin[sequence];
  };
  // Keys and values of all rows are stored before any row attends: later rows of a chunk see the earlier ones.
  ForRows(threads_, rows,
          [&](std::int64_t row, int) {
            float* q = qkv_.data() + row * qkv_width;
            const std::int64_t position = batch.positions[static_cast<std::size_t>(row)];
            FinishQkv(layer, Angles(layer_index, position), q);
            kernels_.store_kv(kv, blocks_of_row(row)[position / options_.block_size], position % options_.block_size,
                              q + q_width, q + q_width + kv_width);
          },
          {"rope_store_kv", "", rows});
}

// x += W_o attention(queries, keys, values)
void DecoderModel::Attention(const kvcache::StepBatch& batch, std::int32_t layer_index) {
  const std::int64_t q_width = config_.q_width();
  attention_.Run(batch, {.kv = LayerKv(layer_index),
                         .scale = config_.attention_scale,
                         .window = config_.is_local(layer_index) ? config_.window : 0,
                         .q = qkv_.data(),
                         .q_stride = q_width + 2 * config_.kv_width(),
                         .out = attended_.data()});
  const auto at = static_cast<std::size_t>(layer_index);
  const MatrixProducts::Product output = ToResidual(layers_[at].attention_output);
  products_.Run("attention_output", {&output, 1}, batch.rows(),
                [&](std::int64_t row, float*) { return attended_.data() + row * q_width; });
  AddBranch(weights_.layers[at].post_attention_norm, batch.rows());
}

// x += W_down (activation(W_gate n) * W_up n), n = norm(x), the sum normalised first where the layer has a norm for it
void DecoderModel::FeedForward(std::int32_t layer_index, std::int64_t rows) {
  const LayerProducts& products = layers_[static_cast<std::size_t>(layer_index)];
  const DecoderLayer& layer = weights_.layers[static_cast<std::size_t>(layer_index)];
  const std::int64_t ffn_width = config_.ffn_width;
  float* gate = gate_up_.data();
  const auto normed = [&](std::int64_t row, float* scratch) { return Norm(row, layer.ffn_norm, scratch); };
  const MatrixProducts::Product down = ToResidual(products.down);
  if (MatrixProducts::CanGate(products.gate, products.up)) {
    const MatrixProducts::Product gated{&products.up, gate, ffn_width, false, &products.gate, config_.gate};
    products_.Run("gate_up", {&gated, 1}, rows, normed);
    products_.Run("down", {&down, 1}, rows, [&](std::int64_t row, float*) { return gate + row * ffn_width; });
  } else {
    float* up = gate + rows * ffn_width;
    const std::array<MatrixProducts::Product, 2> gate_up{
        {{&products.gate, gate, ffn_width}, {&products.up, up, ffn_width}}};
    kernels::GatedUnitFn* const gated_unit =
        config_.gate == kernels::GateActivation::kGelu ? kernels_.geglu : kernels_.swiglu;
    products_.Run("gate_up", gate_up, rows, normed);
    products_.Run("down", {&down, 1}, rows, [&](std::int64_t row, float* scratch) {
      gated_unit(gate + row * ffn_width, up + row * ffn_width, ffn_width, scratch);
      return scratch;
    });
  }
  AddBranch(layer.post_ffn_norm, rows);
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
