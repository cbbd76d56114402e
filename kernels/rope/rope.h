#pragma once

#include <cstdint>

namespace kernels {

// Which values of a head turn together.
//   kNeighbours : 2i and 2i + 1, as GGUF stores Llama: its converter permutes the rows of Q and K to this order
//   kHalves     : i and i + head_dim / 2, the order of the published checkpoints, which GGUF keeps for other models
enum class RopePairs { kNeighbours, kHalves };

// The angles of a rotary position embedding (Su et al. 2021): pair i turns at position p by
//   p / position_divisor * freq_base^(-2i / head_dim) / pair_divisors[i]
struct RopeAngles {
  std::int64_t head_dim;  // even
  float freq_base;
  RopePairs pairs = RopePairs::kNeighbours;
  float position_divisor = 1;            // positions closer together than in training (Chen et al. 2023)
  const float* pair_divisors = nullptr;  // [head_dim / 2]; nullptr: ones
};

// The table holds, for each position, what multiplies a value and what multiplies its partner:
//   table : [positions][2][head_dim]   [0]: cos, for both of a pair; [1]: -sin for the first of a pair, +sin for the
//   second
// Angles are rounded to F32 before the sine is taken, as the published implementations do; at position 8,000 an exact
// angle would differ from theirs by 3e-4.
void FillRopeTable(std::int64_t positions, const RopeAngles& angles, float* table);

// With (a, b) the values of a pair and t its angle:
//   a' = a cos t - b sin t
//   b' = b cos t + a sin t
//   x         : [heads][head_dim], one row, rotated in place
//   table_row : [2][head_dim] of the row's position, made for the same pairs
// REQUIRES: head_dim is a multiple of 16
using RopeRowFn = void(float* x, std::int64_t heads, std::int64_t head_dim, RopePairs pairs, const float* table_row);

RopeRowFn RopeRowRef;

}  // namespace kernels
