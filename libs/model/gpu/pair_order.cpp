#include "libs/model/gpu/pair_order.h"

#include <cstddef>
#include <cstring>

namespace model {
namespace {

// Which of the file's rows becomes row `row`.
std::int64_t SourceOf(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t in_head = row % head_dim;
  return row - in_head + in_head / 2 + in_head % 2 * (head_dim / 2);
}

}  // namespace

WeightMatrix NeighboursOfHalves(const WeightMatrix& matrix, std::int32_t head_dim, std::vector<std::uint8_t>& rows) {
  const std::int64_t row_bytes = kernels::RowBytes(matrix.format, matrix.cols);
  const std::int64_t stride = matrix.row_stride == 0 ? row_bytes : matrix.row_stride;
  rows.resize(static_cast<std::size_t>(matrix.rows * row_bytes));
  for (std::int64_t row = 0; row < matrix.rows; ++row) {
    std::memcpy(rows.data() + row * row_bytes, matrix.data + SourceOf(row, head_dim) * stride,
                static_cast<std::size_t>(row_bytes));
  }
  WeightMatrix ordered = matrix;
  ordered.data = rows.data();
  ordered.row_stride = 0;
  return ordered;
}

std::vector<float> NeighboursOfHalves(std::span<const float> heads, std::int32_t head_dim) {
  std::vector<float> ordered(heads.size());
  for (std::size_t i = 0; i < heads.size(); ++i) {
    ordered[i] = heads[static_cast<std::size_t>(SourceOf(static_cast<std::int64_t>(i), head_dim))];
  }
  return ordered;
}

}  // namespace model
