#include "libs/model/internal/matrix_products.h"

#include <algorithm>

namespace model {
namespace {

// The smallest part of a product that a thread can take: a tile of packed weights, or 16 rows of the file's own format.
std::int64_t Tiles(const MatrixProducts::Product& product) {
  const std::int64_t rows = product.w->file.rows;
  if (product.w->weights != ProductWeights::kFile) return kernels::PackedTiles(rows, product.gate != nullptr);
  return (rows + kernels::kGemmTileRows - 1) / kernels::kGemmTileRows;
}

}  // namespace

MatrixProducts::MatrixProducts(const kernels::CpuKernels& kernels, kernels::ThreadPool& threads, std::int64_t rows_max,
                               std::int64_t columns_max)
    : kernels_(kernels),
      threads_(threads),
      scratch_floats_(kernels::GemmScratchFloats(columns_max)),
      input_(rows_max * columns_max),
      values_(rows_max * columns_max),
      groups_(rows_max * kernels::GroupsFor(columns_max)),
      scratch_(threads.threads() * scratch_floats_) {}

ProductMatrix MatrixProducts::Prepare(const WeightMatrix& file, bool round) {
  ProductMatrix prepared{.file = file};
  if (!round) return prepared;
  if (kernels::CanPack(file.format) && file.cols % kernels::kQuantBlockValues == 0) {
    prepared.weights = ProductWeights::kInt8;
    prepared.layout = kernels::LayoutOfPacked(file.format);
    PackPanels(prepared, kernels::PackedPanelBytes(prepared.layout, file.cols), kernels::PackPanel);
  } else if (kernels::CanPackBf16(file.format, file.cols)) {
    prepared.weights = ProductWeights::kBf16;
    PackPanels(prepared, kernels::Bf16PanelBytes(file.cols), kernels::PackBf16Panel);
  }
  return prepared;
}

// `pack` is PackPanel or its like for another layout.
template <typename Value>
void MatrixProducts::PackPanels(ProductMatrix& matrix, std::int64_t panel_bytes,
                                void (*pack)(kernels::WeightFormat, const std::uint8_t* file, std::int64_t rows_left,
                                             std::int64_t columns, Value* panel)) {
  const WeightMatrix& file = matrix.file;
  const std::int64_t panels = kernels::PanelsFor(file.rows);
  const std::int64_t row_bytes = kernels::RowBytes(file.format, file.cols);
  matrix.packed_bytes = panels * panel_bytes;
  std::uint8_t* packed = arena_.Allocate(static_cast<std::size_t>(matrix.packed_bytes));
  matrix.packed = packed;
  threads_.Run(panels, [&](std::int64_t panel, int) {
    const std::int64_t row = panel * kernels::kPanelRows;
    pack(file.format, file.data + row * row_bytes, file.rows - row, file.cols,
         reinterpret_cast<Value*>(packed + panel * panel_bytes));
  });
}

void MatrixProducts::Multiply(const char* name, std::span<const Product> products,
                              const kernels::QuantizedRows& rounded) {
  std::int64_t tiles = 0;
  for (const Product& product : products) tiles += Tiles(product);
  // About eight tasks a thread: few enough for the counter, enough to even out what the machine takes away.
  const std::int64_t together = std::max<std::int64_t>(1, tiles / (8 * threads_.threads()));
  threads_.Run((tiles + together - 1) / together,
               [&](std::int64_t task, int thread) {
                 const std::int64_t end = std::min(tiles, (task + 1) * together);
                 for (std::int64_t i = task * together; i < end; ++i) {
                   std::int64_t tile = i;
                   const Product* product = products.data();
                   while (tile >= Tiles(*product)) tile -= Tiles(*product++);
                   MultiplyTile(*product, tile, rounded, thread);
                 }
               },
               {name, "", rounded.rows});
}

void MatrixProducts::MultiplyTile(const Product& product, std::int64_t tile, const kernels::QuantizedRows& rounded,
                                  int thread) {
  const WeightMatrix& w = product.w->file;
  if (product.w->weights == ProductWeights::kBf16) {
    const auto* gate = product.gate != nullptr ? product.gate->packed : nullptr;
    kernels_.bf16_gemm_tile({.w = reinterpret_cast<const std::uint16_t*>(product.w->packed),
                             .gate = reinterpret_cast<const std::uint16_t*>(gate),
                             .activation = product.activation,
                             .n = w.rows,
                             .columns = w.cols,
                             .x = input_.data(),
                             .rows = rounded.rows,
                             .y = product.y,
                             .y_stride = product.y_stride,
                             .accumulate = product.accumulate},
                            tile);
    return;
  }
  if (product.w->weights == ProductWeights::kInt8) {
    kernels_.packed_gemm_tile({.w = product.w->packed,
                               .gate = product.gate != nullptr ? product.gate->packed : nullptr,
                               .activation = product.activation,
                               .layout = product.w->layout,
                               .n = w.rows,
                               .x = rounded,
                               .y = product.y,
                               .y_stride = product.y_stride,
                               .accumulate = product.accumulate},
                              tile);
    return;
  }
  const std::int64_t begin = tile * kernels::kGemmTileRows;
  kernels_.gemm_columns({.w = w.data,
                         .format = w.format,
                         .n = w.rows,
                         .k = w.cols,
                         .x = input_.data(),
                         .m = rounded.rows,
                         .x_stride = w.cols,
                         .y = product.y,
                         .y_stride = product.y_stride,
                         .accumulate = product.accumulate},
                        begin, std::min(w.rows, begin + kernels::kGemmTileRows),
                        scratch_.data() + thread * scratch_floats_);
}

}  // namespace model
