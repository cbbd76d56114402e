#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace model {

// Steps that only decode come in few shapes, so that each can be captured as a graph: rows are padded to one of
// 1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, ... (a step costs the same for every number in between, since it is bound by
// reading the weights) and the context to a power of two, which sizes the attention's grid.

// The smallest bucket for `rows`, at most rows_max. REQUIRES: 1 <= rows <= rows_max
constexpr std::int32_t RowsBucket(std::int32_t rows, std::int32_t rows_max) {
  const auto power = static_cast<std::int32_t>(std::bit_ceil(static_cast<std::uint32_t>(rows)));
  const bool three_quarters = power > 16 && rows <= power / 4 * 3;
  return std::min(three_quarters ? power / 4 * 3 : power, rows_max);
}

// Below this a smaller grid would save nothing.
inline constexpr std::int32_t kContextBucketMin = 512;

// REQUIRES: 1 <= context <= positions_max
constexpr std::int32_t ContextBucket(std::int32_t context, std::int32_t positions_max) {
  const auto power = static_cast<std::int32_t>(std::bit_ceil(static_cast<std::uint32_t>(context)));
  return std::min(std::max(power, kContextBucketMin), positions_max);
}

}  // namespace model
