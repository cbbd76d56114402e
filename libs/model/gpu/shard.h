#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "kernels/primitives/gpu/collectives.h"
#include "libs/model/decoder_config.h"
#include "libs/model/decoder_weights.h"

namespace model {

// One rank's part of a model that several cards share (Shoeybi et al. 2019): heads / ranks of the query heads with the
// key and value heads they read, ffn_width / ranks of the feed-forward width. Matrices before them are cut by rows,
// those behind by columns, so that a layer needs two sums over the ranks. Embedding, output matrix and norms are whole
// on each.
struct Shard {
  std::int32_t rank = 0, ranks = 1;
  kernels::gpu::Communicator* communicator = nullptr;  // nullptr: this is the whole model
};

// InvalidArgument: what does not divide by `ranks`, heads or widths, or a block of a quantised row.
absl::Status CheckSplit(const DecoderConfig& config, const DecoderWeights& weights, std::int32_t ranks);

// Hyper-parameters and weights of the rank's own part. REQUIRES: CheckSplit
DecoderConfig ConfigOfRank(const DecoderConfig& config, const Shard& shard);
DecoderWeights WeightsOfRank(DecoderWeights weights, const Shard& shard);

// `count` rows of a matrix from `begin` on.
WeightMatrix Rows(const WeightMatrix& matrix, std::int64_t begin, std::int64_t count);

}  // namespace model
