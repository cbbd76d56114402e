#include "libs/model/gpu/shard.h"

#include <string>

#include "absl/strings/str_cat.h"

namespace model {
namespace {

// Kernels take rows of W in multiples of 8 and inputs in multiples of 32.
constexpr std::int32_t kFfnMultiple = 32;

absl::Status Refused(std::int32_t ranks, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("tensor_parallel is ", ranks, ": ", why));
}

// Empty: its columns can be cut.
std::string WhyColumnsStayWhole(const char* name, const WeightMatrix& matrix, std::int32_t ranks) {
  const std::int64_t block = kernels::BlockOf(matrix.format).values, part = matrix.cols / ranks;
  if (part % block == 0) return "";
  return absl::StrCat("a rank's ", part, " columns of ", name, " are no whole blocks of ", block,
                      " values, which its format in the file is made of");
}

WeightMatrix RowsOfRank(const WeightMatrix& matrix, const Shard& shard) {
  const std::int64_t count = matrix.rows / shard.ranks;
  return Rows(matrix, shard.rank * count, count);
}

WeightMatrix ColumnsOfRank(const WeightMatrix& matrix, const Shard& shard) {
  WeightMatrix columns = matrix;
  columns.cols = matrix.cols / shard.ranks;
  columns.data += kernels::RowBytes(matrix.format, shard.rank * columns.cols);
  columns.row_stride = kernels::RowBytes(matrix.format, matrix.cols);
  return columns;
}

// The rank's parts of the biases of Q, K and V. REQUIRES: the layer's matrices are whole.
std::vector<float> BiasOfRank(const DecoderLayer& layer, const Shard& shard) {
  std::vector<float> bias;
  if (layer.qkv_bias.empty()) return bias;
  auto begin = layer.qkv_bias.begin();
  for (const WeightMatrix* matrix : {&layer.q, &layer.k, &layer.v}) {
    const std::int64_t count = matrix->rows / shard.ranks;
    bias.insert(bias.end(), begin + shard.rank * count, begin + (shard.rank + 1) * count);
    begin += matrix->rows;
  }
  return bias;
}

}  // namespace

absl::Status CheckSplit(const DecoderConfig& config, const DecoderWeights& weights, std::int32_t ranks) {
  if (ranks == 1) return absl::OkStatus();
  const struct {
    const char* name;
    std::int32_t count;
  } divided[] = {{"query heads", config.heads},
                 {"key and value heads", config.kv_heads},
                 {"values of feed-forward width", config.ffn_width}};
  for (const auto& [name, count] : divided) {
    if (count % ranks != 0) return Refused(ranks, absl::StrCat(count, " ", name, " do not divide by it"));
  }
  if (config.ffn_width / ranks % kFfnMultiple != 0) {
    return Refused(ranks, absl::StrCat("a rank's ", config.ffn_width / ranks,
                                       " values of feed-forward width are no multiple of ", kFfnMultiple));
  }
  for (const DecoderLayer& layer : weights.layers) {
    std::string why = WhyColumnsStayWhole("attn_output", layer.attention_output, ranks);
    if (why.empty()) why = WhyColumnsStayWhole("ffn_down", layer.down, ranks);
    if (!why.empty()) return Refused(ranks, why);
  }
  return absl::OkStatus();
}

DecoderConfig ConfigOfRank(const DecoderConfig& config, const Shard& shard) {
  DecoderConfig part = config;
  part.heads /= shard.ranks;
  part.kv_heads /= shard.ranks;
  part.ffn_width /= shard.ranks;
  return part;
}

DecoderWeights WeightsOfRank(DecoderWeights weights, const Shard& shard) {
  for (DecoderLayer& layer : weights.layers) {
    layer.qkv_bias = BiasOfRank(layer, shard);
    for (WeightMatrix* matrix : {&layer.q, &layer.k, &layer.v, &layer.gate, &layer.up}) {
      *matrix = RowsOfRank(*matrix, shard);
    }
    for (WeightMatrix* matrix : {&layer.attention_output, &layer.down}) *matrix = ColumnsOfRank(*matrix, shard);
  }
  return weights;
}

WeightMatrix Rows(const WeightMatrix& matrix, std::int64_t begin, std::int64_t count) {
  WeightMatrix rows = matrix;
  const std::int64_t row_bytes = kernels::RowBytes(matrix.format, matrix.cols);
  rows.data += begin * (matrix.row_stride == 0 ? row_bytes : matrix.row_stride);
  rows.rows = count;
  return rows;
}

}  // namespace model
