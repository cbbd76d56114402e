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

// Into how many chunks the rows are cut, each a share of the threads' tasks. Who computes a row's products is then who
// makes its input and reads its output, which stay in one core's cache.
std::int64_t RowChunks(std::span<const MatrixProducts::Product> products, std::int64_t rows, std::int64_t threads) {
  constexpr std::int64_t kChunkRowsMin = 128;  // below, the weights would be unpacked too often
  for (const MatrixProducts::Product& product : products) {
    if (product.w->weights != ProductWeights::kInt8) return 1;
  }
  return std::clamp<std::int64_t>(rows / kChunkRowsMin, 1, threads);
}

// The first row of a chunk: where a thread's share of the row-wise tasks begins, too, if each thread has a chunk.
std::int64_t ChunkBegin(std::int64_t rows, std::int64_t chunk, std::int64_t chunks) {
  if (chunk == chunks) return rows;
  return RowTasks(rows) * chunk / chunks * kRowsPerTask;
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
  const std::int64_t rows = rounded.rows, chunks = RowChunks(products, rows, threads_.threads());
  // About eight tasks a thread: few enough for the counters, enough to even out what the machine takes away. With many
  // rows a tile alone takes tens of microseconds, and whoever gets the last task would let the others wait for it.
  constexpr std::int64_t kTileRowsOfTask = 256;
  const std::int64_t together = std::clamp<std::int64_t>(tiles * chunks / (8 * threads_.threads()), 1,
                                                         std::max<std::int64_t>(1, kTileRowsOfTask * chunks / rows));
  const std::int64_t tasks = (tiles + together - 1) / together;
  threads_.Run(tasks * chunks,
               [&](std::int64_t task, int thread) {
                 const std::int64_t chunk = task / tasks, begin = task % tasks * together;
                 const RowRange range{ChunkBegin(rows, chunk, chunks), ChunkBegin(rows, chunk + 1, chunks)};
                 for (std::int64_t i = begin; i < std::min(tiles, begin + together); ++i) {
                   std::int64_t tile = i;
                   const Product* product = products.data();
                   while (tile >= Tiles(*product)) tile -= Tiles(*product++);
                   MultiplyTile(*product, tile, rounded, range, thread);
                 }
               },
               {name, "", rows});
}

void MatrixProducts::MultiplyTile(const Product& product, std::int64_t tile, const kernels::QuantizedRows& rounded,
                                  const RowRange& range, int thread) {
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
                              tile, range.begin, range.end);
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
