#pragma once

#include <cstdint>

namespace kernels {

// Rotary position embedding (Su et al. 2021) on neighbouring pairs, as GGUF stores Llama weights: the converter
// permutes the rows of Q and K from the half-split order of the original checkpoint to this one.
//   x'[2i]     = x[2i] cos(p f_i) - x[2i + 1] sin(p f_i)
//   x'[2i + 1] = x[2i] sin(p f_i) + x[2i + 1] cos(p f_i)        f_i = freq_base^(-2i / head_dim)
//
// The table holds, for each position, what multiplies a value and what multiplies its neighbour:
//   table : [positions][2][head_dim]   [0]: cos, cos of each pair; [1]: -sin, +sin of each pair
// Angles are rounded to F32 before the sine is taken, as the published implementations do; at position 8,000 an exact
// angle would differ from theirs by 3e-4.
void FillRopeTable(std::int64_t positions, std::int64_t head_dim, float freq_base, float* table);

//   x         : [heads][head_dim], one row, rotated in place
//   table_row : [2][head_dim] of the row's position
// REQUIRES: head_dim is a multiple of 16
using RopeRowFn = void(float* x, std::int64_t heads, std::int64_t head_dim, const float* table_row);

RopeRowFn RopeRowRef;

}  // namespace kernels
