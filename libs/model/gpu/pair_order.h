#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "libs/model/decoder_weights.h"

namespace model {

// The kernels rotate neighbouring values of a head. Where a model rotates the halves of a head together
// (kernels::RopePairs), the rows of Q and K that make them are put side by side when they are loaded: of each head, row
// i and row i + head_dim / 2 become rows 2i and 2i + 1. Both sides of every product of a query and a key then have one
// and the same other order, and nobody else sees it.

// Rows of whole heads, one behind the other. `rows` is where they lie; the result is a view into it.
WeightMatrix NeighboursOfHalves(const WeightMatrix& matrix, std::int32_t head_dim, std::vector<std::uint8_t>& rows);

// Vectors of whole heads: biases, or one head's norm.
std::vector<float> NeighboursOfHalves(std::span<const float> heads, std::int32_t head_dim);

}  // namespace model
