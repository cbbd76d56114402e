#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "kernels/gemm/gemm.h"
#include "kernels/gemm/packed_gemm.h"
#include "kernels/primitives/cpu_kernels.h"
#include "kernels/primitives/thread_pool.h"
#include "libs/model/decoder_weights.h"
#include "libs/model/internal/aligned_floats.h"

namespace model {

// A matrix as the products want it: packed for int8 activations, or where it lies in the file.
struct ProductMatrix {
  WeightMatrix file;
  std::unique_ptr<std::uint8_t[], void (*)(void*)> packed{nullptr, &std::free};  // nullptr: multiplied in F32
  kernels::PackedLayout layout{};
};

// The products of a step, y = W x for rows of x, on the pool's threads. Matrices that share their input are multiplied
// in one launch: small ones would leave threads idle on their own. The input of a launch is made row by row by the
// caller's function and rounded to 8 bits while it is still in the first cache.
//
// Ownership: keeps the rounded input and each thread's scratch; allocated in the constructor.
// Threading: one caller at a time.
class MatrixProducts {
 public:
  // `columns_max`: of any matrix. Throws std::bad_alloc.
  MatrixProducts(const kernels::CpuKernels& kernels, kernels::ThreadPool& threads, std::int64_t rows_max,
                 std::int64_t columns_max);

  // `pack`: for int8 activations, if the format can be packed; it is done by all threads.
  ProductMatrix Prepare(const WeightMatrix& matrix, bool pack);

  struct Product {
    const ProductMatrix* w;
    float* y;  // [rows][y_stride]
    std::int64_t y_stride;
    bool accumulate;
  };

  // Calls make_row(row, x) for each row, which writes the row's input; then runs the products.
  //   x : [columns] of the products, which all have the same
  template <typename MakeRow>
  void Run(std::span<const Product> products, std::int64_t rows, const MakeRow& make_row) {
    if (rows == 0) return;
    const std::int64_t columns = products.front().w->file.cols;
    const kernels::QuantizedRows rounded{values_.get(), scales_.data(), rows, columns};
    bool round = false;
    for (const Product& product : products) round = round || product.w->packed != nullptr;
    threads_.Run((rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::int64_t task, int) {
      const std::int64_t end = rows < (task + 1) * kRowsPerTask ? rows : (task + 1) * kRowsPerTask;
      for (std::int64_t row = task * kRowsPerTask; row < end; ++row) {
        float* x = input_.data() + row * columns;
        make_row(row, x);
        if (round) kernels_.quantize_row(x, rounded, row);
      }
    });
    Multiply(products, rounded);
  }

  // Fewer rows than this are not worth the launch of a row-wise function on several threads.
  static constexpr std::int64_t kRowsPerTask = 8;

 private:
  void Multiply(std::span<const Product> products, const kernels::QuantizedRows& rounded);
  void MultiplyTile(const Product& product, std::int64_t tile, const kernels::QuantizedRows& rounded, int thread);

  const kernels::CpuKernels& kernels_;
  kernels::ThreadPool& threads_;
  const std::int64_t scratch_floats_;                       // of a thread
  AlignedFloats input_;                                     // [rows][columns]
  std::unique_ptr<std::int8_t[], void (*)(void*)> values_;  // see kernels::QuantizedRows
  AlignedFloats scales_;
  AlignedFloats scratch_;  // [threads][scratch_floats_]
};

}  // namespace model
