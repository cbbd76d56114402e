#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "kernels/gemm/gemm.h"
#include "kernels/gemm/packed_gemm.h"
#include "kernels/primitives/cpu_kernels.h"
#include "kernels/primitives/thread_pool.h"
#include "libs/model/decoder_weights.h"
#include "libs/model/internal/aligned_array.h"
#include "libs/model/internal/for_rows.h"
#include "libs/model/internal/weight_arena.h"

namespace model {

// How a matrix lies in memory, and so what its product takes.
enum class ProductWeights {
  kFile,  // in the file's own format; inputs in F32
  kInt8,  // packed as kernels::PackPanel does; inputs rounded to 8 bits
  kBf16,  // packed as kernels::PackBf16Panel does; inputs in F32
};

struct ProductMatrix {
  WeightMatrix file;
  ProductWeights weights = ProductWeights::kFile;
  const std::uint8_t* packed = nullptr;  // in the products' arena; nullptr for kFile
  std::int64_t packed_bytes = 0;
  kernels::PackedLayout layout{};  // of kInt8
};

// The products of a step, y = W x for rows of x, on the pool's threads. Matrices that share their input are multiplied
// in one launch: small ones would leave threads idle on their own. The input of a launch is made row by row by the
// caller's function and rounded to 8 bits while it is still in the first cache.
//
// Ownership: keeps what it packed, the rounded input and each thread's scratch; allocated in the constructor.
// Threading: one caller at a time.
class MatrixProducts {
 public:
  // `columns_max`: of any matrix. Throws std::bad_alloc.
  MatrixProducts(const kernels::CpuKernels& kernels, kernels::ThreadPool& threads, std::int64_t rows_max,
                 std::int64_t columns_max);

  // `round`: a quantised matrix is packed for inputs of 8 bits, another one rounded to BF16; by all threads.
  ProductMatrix Prepare(const WeightMatrix& file, bool round);

  struct Product {
    const ProductMatrix* w;
    float* y;  // [rows][y_stride]
    std::int64_t y_stride;
    bool accumulate = false;
    const ProductMatrix* gate = nullptr;  // y = activation(gate x) * (w x). REQUIRES: CanGate(*gate, *w)
    kernels::GateActivation activation = kernels::GateActivation::kSilu;
  };

  // Whether one product of both can write activation(gate x) * (up x), so that neither half goes through memory.
  static bool CanGate(const ProductMatrix& gate, const ProductMatrix& up) {
    return gate.packed != nullptr && gate.weights == up.weights && gate.layout == up.layout;
  }

  // `name` is what the launches are called in a trace.
  // Calls make_row(row, scratch) for each row, which returns the row's input, there or elsewhere; then runs the
  // products.
  //   scratch : [columns] of the products, which all have the same
  template <typename MakeRow>
  void Run(const char* name, std::span<const Product> products, std::int64_t rows, const MakeRow& make_row) {
    if (rows == 0) return;
    const std::int64_t columns = products.front().w->file.cols;
    const kernels::QuantizedRows rounded{values_.data(), groups_.data(), rows, columns};
    bool plain = false, round = false;  // what the products take
    for (const Product& product : products) {
      (product.w->weights == ProductWeights::kInt8 ? round : plain) = true;
    }
    ForRows(threads_, rows,
            [&](std::int64_t row, int thread) {
              float* own = plain ? input_.data() + row * columns : scratch_.data() + thread * scratch_floats_;
              const float* x = make_row(row, own);
              if (plain && x != own) std::memcpy(own, x, static_cast<std::size_t>(columns) * sizeof(float));
              if (round) kernels_.quantize_row(x, rounded, row);
            },
            {name, " input", rows});
    Multiply(name, products, rounded);
  }

 private:
  template <typename Value>
  void PackPanels(ProductMatrix& matrix, std::int64_t panel_bytes,
                  void (*pack)(kernels::WeightFormat, const std::uint8_t* file, std::int64_t rows_left,
                               std::int64_t columns, Value* panel));
  void Multiply(const char* name, std::span<const Product> products, const kernels::QuantizedRows& rounded);
  struct RowRange {  // of packed weights; others take all rows
    std::int64_t begin, end;
  };
  void MultiplyTile(const Product& product, std::int64_t tile, const kernels::QuantizedRows& rounded,
                    const RowRange& range, int thread);

  const kernels::CpuKernels& kernels_;
  kernels::ThreadPool& threads_;
  WeightArena arena_;
  const std::int64_t scratch_floats_;  // of a thread
  AlignedFloats input_;                // [rows][columns]; where a product takes F32
  AlignedArray<std::int8_t> values_;   // see kernels::QuantizedRows
  AlignedArray<kernels::QuantizedGroup> groups_;
  AlignedFloats scratch_;  // [threads][scratch_floats_]
};

}  // namespace model
