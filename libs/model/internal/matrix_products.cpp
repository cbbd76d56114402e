#include "libs/model/internal/matrix_products.h"

#include <algorithm>
#include <new>

namespace model {
namespace {

constexpr std::size_t kCacheLine = 64;

// Bytes on a cache line. Throws std::bad_alloc.
template <typename T>
std::unique_ptr<T[], void (*)(void*)> AlignedBytes(std::int64_t bytes) {
  const std::size_t rounded = (static_cast<std::size_t>(bytes) + kCacheLine) / kCacheLine * kCacheLine;
  auto* memory = static_cast<T*>(std::aligned_alloc(kCacheLine, rounded));
  if (memory == nullptr) throw std::bad_alloc();
  return {memory, &std::free};
}

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
      values_(AlignedBytes<std::int8_t>(rows_max * columns_max)),
      groups_(AlignedBytes<kernels::QuantizedGroup>(rows_max * kernels::GroupsFor(columns_max) *
                                                    static_cast<std::int64_t>(sizeof(kernels::QuantizedGroup)))),
      scratch_(threads.threads() * scratch_floats_) {}

ProductMatrix MatrixProducts::Prepare(const WeightMatrix& matrix, bool round) {
  ProductMatrix prepared{.file = matrix};
  if (!round) return prepared;
  if (kernels::CanPack(matrix.format) && matrix.cols % kernels::kQuantBlockValues == 0) {
    PackInt8(prepared);
  } else if (kernels::CanPackBf16(matrix.format, matrix.cols)) {
    PackBf16(prepared);
  }
  return prepared;
}

void MatrixProducts::PackInt8(ProductMatrix& matrix) {
  const WeightMatrix& file = matrix.file;
  matrix.weights = ProductWeights::kInt8;
  matrix.layout = kernels::LayoutOfPacked(file.format);
  const std::int64_t panels = kernels::PanelsFor(file.rows);
  const std::int64_t panel_bytes = kernels::PackedPanelBytes(matrix.layout, file.cols);
  const std::int64_t row_bytes = kernels::RowBytes(file.format, file.cols);
  matrix.packed_bytes = panels * panel_bytes;
  std::uint8_t* packed = arena_.Allocate(static_cast<std::size_t>(matrix.packed_bytes));
  matrix.packed = packed;
  threads_.Run(panels, [&](std::int64_t panel, int) {
    const std::int64_t row = panel * kernels::kPanelRows;
    kernels::PackPanel(file.format, file.data + row * row_bytes, file.rows - row, file.cols,
                       packed + panel * panel_bytes);
  });
}

void MatrixProducts::PackBf16(ProductMatrix& matrix) {
  const WeightMatrix& file = matrix.file;
  matrix.weights = ProductWeights::kBf16;
  const std::int64_t panels = kernels::PanelsFor(file.rows);
  const std::int64_t panel_bytes = kernels::Bf16PanelBytes(file.cols);
  const std::int64_t row_bytes = kernels::RowBytes(file.format, file.cols);
  matrix.packed_bytes = panels * panel_bytes;
  std::uint8_t* packed = arena_.Allocate(static_cast<std::size_t>(matrix.packed_bytes));
  matrix.packed = packed;
  threads_.Run(panels, [&](std::int64_t panel, int) {
    const std::int64_t row = panel * kernels::kPanelRows;
    kernels::PackBf16Panel(file.format, file.data + row * row_bytes, file.rows - row, file.cols,
                           reinterpret_cast<std::uint16_t*>(packed + panel * panel_bytes));
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
