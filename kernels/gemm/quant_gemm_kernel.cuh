#pragma once

#include <algorithm>

#include "kernels/gemm/quant_plan.h"
#include "kernels/gemm/quant_scales.cuh"
#include "kernels/primitives/gpu/async_copy.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/mma.h"
#include "kernels/quant/quant_layout.h"

namespace kernels::gpu {

// Products with the quantised formats: one kernel for 1 to 64 rows of x, and for more in chunks of 64.
//
// What bounds it. At 4.2 TB/s each of 132 multiprocessors receives 17 bytes a cycle: a cell of 32 x 32 weights (576
// bytes of Q4_0) every 33 cycles, in which its four schedulers issue at most 132 instructions. In F32, nibble by
// nibble, 32 lanes would need 32 conversions' worth of logic and 32 fused multiply-adds for each row of x. Tensor cores
// need six instructions for eight rows of x, most of them zeros when there are few; what remains is unpacking: 28
// instructions (3 rotations and 4 LOP3 for 8 nibbles), 8 or 16 multiply-adds for scales (half of them for a single
// row), 4 to 24 to widen the scales, and 3 loads. In all (sm_90a) a cell takes 52 instructions of Q4_0, 61 of Q4_1, 74
// of Q4_K and 95 of Q8_0 (of 1,088 bytes) for one row of x, 64 to 107 for eight, 85 to 127 for sixteen, plus about 20
// for copies.
//
// Numbers. A nibble q becomes the BF16 number 16 + q by bits alone: 16 is 0x4180, and q stands in the upper four bits
// of its mantissa (256 + 16 q for the second plane of Q8_0). The products with x are exact, their sum over 32 values of
// k is formed in F32 by two instructions (four for Q8_0), and the constants are taken out with the sum of the same 32
// values of x: as the accumulator's starting value for the formats without minima, together with the minimum for those
// with. Then the F32 scale of the block multiplies. Nothing is rounded but F32 sums. The constant 16 and not the
// customary 128 keeps what cancels small. The sums of x come from two more matrix instructions, whose operand A is one
// constant: each lane then has those of its own columns, and no thread waits for another's.
//
// Weights and x go through a ring of asynchronous copies in shared memory, and the ring is started with weights before
// WaitForPreviousKernel. A warp reads what its own lanes copied, x too where it shares none with other warps (a single
// row, or one warp beside each other): no barrier of the block then holds up a warp whose next stage is there.
template <MatrixFormat kOfFormat, int kOfTiles, bool kOfOne, int kOfStages>
struct QuantShape {
  static constexpr MatrixFormat kFormat = kOfFormat;
  static constexpr int kTiles = kOfTiles;  // of eight rows of x
  // A single row of x: column c of the tile is the row's part for cell c of the stage, so that one load and one sum
  // serve all of its cells; of cell c's product, column c is kept up.
  static constexpr bool kIsOne = kOfOne;
  static constexpr int kPlanes = PlanesOf(kFormat);
  static constexpr int kStageCells = QuantStageCells(kFormat, 8 * kTiles);
  static constexpr int kScaleBytes = CellScaleBytes(kFormat);
  static constexpr int kDataBytes = kStageCells * kPlanes * kCellPlaneBytes;
  static constexpr int kSuperScaleBytes = QuantSuperScaleBytes(kFormat);
  static constexpr int kStageBytes = QuantStageBytes(kFormat, 8 * kTiles);  // of a warp
  static constexpr int kStages = kOfStages;
  static constexpr int kSumTiles = kIsOne ? kStageCells / 2 : kTiles;
  static constexpr int kThreads = kQuantWarps * kWarpLanes;
  static constexpr bool kHasMinima = kFormat == MatrixFormat::kQ4_1 || kFormat == MatrixFormat::kQ4_K;
  // A pair of BF16: what sums of x are multiplied with. Minus what the operand has too much, 24 or 400, or, where
  // minima are subtracted too, one.
  static constexpr std::uint32_t kSumFactors = kHasMinima                       ? 0x3F803F80U
                                               : kFormat == MatrixFormat::kQ8_0 ? 0xC3C8C3C8U
                                                                                : 0xC1C0C1C0U;
  // With many tiles it takes fewer instructions to take that out of the operand once than to form sums for each.
  static constexpr bool kIsCentred = kTiles >= 4 && !kHasMinima;
  // Cells unrolled; registers are the limit.
  static constexpr int kCellsTogether = kTiles == 8                                     ? 1
                                        : kTiles == 2 && kFormat == MatrixFormat::kQ4_K ? 2
                                                                                        : kStageCells;
  static constexpr int kBlocksTogether = QuantBlocksTogether(8 * kTiles);
};

// Grid: (blocks of row_warps cells of rows, splits of k, chunks of 64 rows of x).
struct QuantProblem {
  const std::uint8_t *data, *scales;  // quant/quant_layout.h
  const Bf16* x;                      // [m][k]
  float* y_f32;                       // [m][y_stride], one of the two
  Bf16* y_bf16;                       // [m][y_stride]
  float* partials;                    // [chunks][row blocks][splits][columns][rows of a block], for splits > 1
  std::uint32_t* counters;            // [chunks][row blocks], zero before and after
  std::int32_t m, n, k, y_stride;
  std::int32_t columns_log2, row_warps_log2;  // of the plan
  std::uint32_t exponent;                     // kQuantExponent
  bool accumulate;
};

// What a lane holds of 32 values of eight rows of x.
template <typename Shape>
struct QuantInput {
  std::uint32_t low[2], high[2];  // operands B
  float sums[4];                  // times kSumFactors, of columns 2 * pair and 2 * pair + 1, twice
  float start[4];                 // what a product begins with

  __device__ __forceinline__ void Load(const unsigned char* shared) {
    constexpr std::uint32_t kFactors[4] = {Shape::kSumFactors, Shape::kSumFactors, Shape::kSumFactors,
                                           Shape::kSumFactors};
    const uint4 words = *reinterpret_cast<const uint4*>(shared);
    low[0] = words.x, low[1] = words.y, high[0] = words.z, high[1] = words.w;
    start[0] = start[1] = start[2] = start[3] = 0.0F;
    if constexpr (!Shape::kIsCentred) {
      MmaBf16From(sums, kFactors, low, start);
      MmaBf16(sums, kFactors, high);
    }
    if constexpr (!Shape::kIsCentred && !Shape::kHasMinima) {
#pragma unroll
      for (int i = 0; i < 4; ++i) start[i] = sums[i];
    }
  }
};

// What one thread holds. All that depends on the plan is a power of two.
template <typename Shape>
struct QuantThread {
  const QuantProblem& problem;
  unsigned char* shared;
  int thread, warp, lane, group, pair;
  int row_warp, inner_warp, inner_warps, step_cells;
  int columns_log2, columns;  // of the plan; known to the compiler but for a single tile
  int cells_k;                // of the matrix
  bool has_rows;
  const std::uint8_t *data, *scales;  // the lane's first 16 bytes of the warp's first cell of k
  int first_x, rows_x;                // rows of x: the chunk's first, and how many it has
  // [tile of 16 weight rows][tile of 8 rows of x]; of a single row of x: [..][two cells of a stage], of cell c in the
  // lanes with pair c / 2.
  float sums[2][Shape::kSumTiles][4];

  __device__ __forceinline__ QuantThread(const QuantProblem& of, unsigned char* shared_bytes)
      : problem(of), shared(shared_bytes), thread(static_cast<int>(threadIdx.x)) {
    warp = thread / kWarpLanes, lane = thread % kWarpLanes, group = lane / 4, pair = lane % 4;
    row_warp = warp & ((1 << problem.row_warps_log2) - 1), inner_warp = warp >> problem.row_warps_log2;
    inner_warps = kQuantWarps >> problem.row_warps_log2, step_cells = inner_warps * Shape::kStageCells;
    columns_log2 = Shape::kIsOne        ? 0
                   : Shape::kTiles == 1 ? problem.columns_log2
                                        : 3 + (Shape::kTiles >= 2) + (Shape::kTiles >= 4) + (Shape::kTiles >= 8);
    columns = 1 << columns_log2;
    cells_k = problem.k / kCell;
    const std::int64_t cell_row = (std::int64_t{blockIdx.x} << problem.row_warps_log2) + row_warp;
    has_rows = cell_row < CellsOf(problem.n);
    data = problem.data + cell_row * cells_k * (Shape::kPlanes * kCellPlaneBytes) + lane * 16;
    scales = problem.scales + lane * 16;
    scales += Shape::kFormat == MatrixFormat::kQ4_K ? cell_row * (cells_k / kQ4KRecordCells) * kQ4KRecordBytes
                                                    : cell_row * cells_k * Shape::kScaleBytes;
    first_x = static_cast<int>(blockIdx.z) * kQuantColumnsMax;
    rows_x = min(problem.m - first_x, columns);
#pragma unroll
    for (auto& tiles : sums) {
#pragma unroll
      for (auto& tile : tiles) tile[0] = tile[1] = tile[2] = tile[3] = 0.0F;
    }
  }

  __device__ __forceinline__ int FirstCell(int step) const {
    return step * step_cells + inner_warp * Shape::kStageCells;
  }
  // Whether no other warp reads or copies this one's x.
  __device__ __forceinline__ bool OwnsInput() const { return Shape::kIsOne || problem.row_warps_log2 == 0; }
  __device__ __forceinline__ int InputBytes() const { return Shape::kStageCells * columns * 64; }  // of a warp's stage
  __device__ __forceinline__ unsigned char* Stage(int stage) const {
    return shared + (stage * kQuantWarps + warp) * Shape::kStageBytes;
  }
  __device__ __forceinline__ unsigned char* InputStage(int stage) const {
    const int slot = Shape::kIsOne ? stage * kQuantWarps + warp : stage * inner_warps + inner_warp;
    return shared + Shape::kStages * kQuantWarps * Shape::kStageBytes + slot * InputBytes();
  }

  // Asks for the warp's stage of a step; zeros beyond the end of k.
  __device__ __forceinline__ void CopyWeights(int step, int stage) {
    const int cell = FirstCell(step);
    if (!has_rows || cell >= cells_k) return;
    constexpr int kCellBytes = Shape::kPlanes * kCellPlaneBytes;
    constexpr int kPieces = Shape::kStageCells * Shape::kPlanes;  // of 512 bytes
    const std::uint8_t* from = data + std::int64_t{cell} * kCellBytes;
    unsigned char* to = Stage(stage) + lane * 16;
#pragma unroll
    for (int piece = 0; piece < kPieces; ++piece) {
      CopyAsync16OfLine(to + piece * kCellPlaneBytes, from + piece * kCellPlaneBytes,
                        cell + piece / Shape::kPlanes < cells_k);
    }
    CopyScales(cell, to + Shape::kDataBytes);
  }

  __device__ __forceinline__ void CopyScales(int cell, unsigned char* to) {
    if constexpr (Shape::kFormat == MatrixFormat::kQ4_K) {
      const std::uint8_t* record = scales + std::int64_t{cell / kQ4KRecordCells} * kQ4KRecordBytes;
      constexpr int kLanes = Shape::kStageCells * Shape::kScaleBytes / 16;
      // The lanes beyond those of the six bits take the scales above them, behind the record's eight cells.
      const int offset = lane < kLanes ? cell % kQ4KRecordCells * Shape::kScaleBytes
                                       : (kQ4KRecordCells - Shape::kStageCells) * Shape::kScaleBytes;
      if (lane < kLanes + Shape::kSuperScaleBytes / 16) CopyAsync16(to, record + offset);
    } else {
      constexpr int kLanesOfCell = Shape::kScaleBytes / 16;
      if (lane < Shape::kStageCells * kLanesOfCell) {
        CopyAsync16(to, scales + std::int64_t{cell} * Shape::kScaleBytes, cell + lane / kLanesOfCell < cells_k);
      }
    }
  }

  // Calls visit(offset in the stage's x, piece of x of step 0, cell) for each of the 16-byte pieces that this lane
  // brings in; `cell` is too large for any step where the row does not exist. They lie as [cell][row of x][four
  // pieces].
  template <typename Visit>
  __device__ __forceinline__ void ForInputs(Visit visit) const {
    const Bf16* x = problem.x + std::int64_t{first_x} * problem.k + FirstCell(0) * kCell;
    if constexpr (Shape::kIsOne) {
      if (lane < Shape::kStageCells * 4) visit(lane * 16, x + lane * 8, group);
      return;
    }
    const int pieces = Shape::kStageCells * 4 << columns_log2, together = kWarpLanes << problem.row_warps_log2;
#pragma unroll 1
    for (int piece = row_warp * kWarpLanes + lane; piece < pieces; piece += together) {
      const int cell = piece >> (2 + columns_log2), row = piece >> 2 & (columns - 1);
      visit(piece * 16, x + std::int64_t{row} * problem.k + (cell * 4 + (piece & 3)) * 8,
            row < rows_x ? cell : cells_k);
    }
  }
  __device__ __forceinline__ void CopyInput(int step, int stage) {
    unsigned char* to = InputStage(stage);
    const int first = FirstCell(step), at = step * step_cells * kCell;
    ForInputs(
        [&](int offset, const Bf16* from, int cell) { CopyAsync16(to + offset, from + at, first + cell < cells_k); });
  }
  // The first stages' x, through registers: groups of asynchronous copies end in their order, so that copies of x
  // behind those of the weights would hold up the first step until the weights of all of these stages are here.
  __device__ __forceinline__ void LoadFirstInputs(int first_step) {
    ForInputs([&](int offset, const Bf16* from, int cell) {
      uint4 values[Shape::kStages - 1];
#pragma unroll
      for (int i = 0; i < Shape::kStages - 1; ++i) {
        const int step = first_step + i;
        values[i] = make_uint4(0, 0, 0, 0);
        if (FirstCell(step) + cell < cells_k) {
          values[i] = __ldcg(reinterpret_cast<const uint4*>(from + step * step_cells * kCell));
        }
      }
#pragma unroll
      for (int i = 0; i < Shape::kStages - 1; ++i) *reinterpret_cast<uint4*>(InputStage(i) + offset) = values[i];
    });
  }

  // sums += the warp's stage times the step's x.
  __device__ __forceinline__ void Multiply(int step, int stage) {
    if (!has_rows || FirstCell(step) >= cells_k) return;
    const unsigned char* weights = Stage(stage) + lane * 16;
    const unsigned char* scale_bytes = Stage(stage) + Shape::kDataBytes;
    // Columns of the tile beyond those there are take what others have, and are never stored.
    const int column = Shape::kIsOne ? group % Shape::kStageCells : Shape::kTiles > 1 ? group : group & (columns - 1);
    const unsigned char* of_cell = InputStage(stage) + column * 64 + pair * 16;
    const int cells_apart = columns * 64;
    QuantInput<Shape> of_x;
    if constexpr (Shape::kIsOne) of_x.Load(of_cell);
    QuantScales<Shape> of_rows;
    of_rows.StartStage(scale_bytes, group, problem.exponent);
#pragma unroll(Shape::kCellsTogether)
    for (int cell = 0; cell < Shape::kStageCells; ++cell, of_cell += cells_apart) {
      std::uint32_t operands[Shape::kPlanes][4][4];
#pragma unroll
      for (int plane = 0; plane < Shape::kPlanes; ++plane) {
        const uint4 words =
            *reinterpret_cast<const uint4*>(weights + (cell * Shape::kPlanes + plane) * kCellPlaneBytes);
        const std::uint32_t base = plane == 0 ? kBf16Pair16 : kBf16Pair256;
        UnpackNibbles(words.x, base, operands[plane][0]);
        UnpackNibbles(words.y, base, operands[plane][1]);
        UnpackNibbles(words.z, base, operands[plane][2]);
        UnpackNibbles(words.w, base, operands[plane][3]);
        if constexpr (Shape::kIsCentred) Centre(operands[plane], plane);
      }
      of_rows.Load(scale_bytes, cell, group);
      if constexpr (Shape::kIsOne) {
        MultiplyCell(operands, of_x, of_rows, cell / 2, cell % 2);
      } else {
#pragma unroll
        for (int tile = 0; tile < Shape::kTiles; ++tile) {
          of_x.Load(of_cell + tile * kWarpLanes * 16);
          MultiplyCell(operands, of_x, of_rows, tile, 0);
        }
      }
    }
  }

  // Takes out what the operands of a plane have too much: 24, or 16 of the low and 384 of the high nibbles.
  static __device__ __forceinline__ void Centre(std::uint32_t (&operands)[4][4], int plane) {
    const bool is_q8 = Shape::kFormat == MatrixFormat::kQ8_0;
    const std::uint32_t excess = !is_q8 ? 0xC1C0C1C0U : plane == 0 ? 0xC180C180U : 0xC3C0C3C0U;
#pragma unroll
    for (auto& operand : operands) {
#pragma unroll
      for (std::uint32_t& pair_of_bf16 : operand) pair_of_bf16 = AddBf16Pairs(pair_of_bf16, excess);
    }
  }

  // Two tiles of weight rows, two instructions along k (twice for two planes), then scales and offsets. Of a single row
  // of x, every other column from `first_column` on.
  __device__ __forceinline__ void MultiplyCell(const std::uint32_t (&operands)[Shape::kPlanes][4][4],
                                               const QuantInput<Shape>& of_x, const QuantScales<Shape>& scales,
                                               int tile, int first_column) {
#pragma unroll
    for (int rows = 0; rows < 2; ++rows) {
      float product[4];
      MmaBf16From(product, operands[0][2 * rows], of_x.low, of_x.start);
      MmaBf16(product, operands[0][2 * rows + 1], of_x.high);
      if constexpr (Shape::kPlanes == 2) {
        MmaBf16(product, operands[1][2 * rows], of_x.low);
        MmaBf16(product, operands[1][2 * rows + 1], of_x.high);
      }
      float(&to)[4] = sums[rows][tile];
#pragma unroll
      for (int i = first_column; i < 4; i += Shape::kIsOne ? 2 : 1) {
        const int entry = 2 * rows + i / 2;
        to[i] = fmaf(scales.scale[entry], product[i], to[i]);
        if constexpr (Shape::kHasMinima) to[i] = fmaf(scales.offset[entry], of_x.sums[i], to[i]);
      }
    }
  }

  // Brings the cells' sums of a single row of x together in the lanes with pair 0.
  __device__ __forceinline__ void JoinCells() {
#pragma unroll
    for (auto& tiles : sums) {
#pragma unroll
      for (int i = 0; i < 4; i += 2) {
        float sum = tiles[0][i] + tiles[0][i + 1];
        if constexpr (Shape::kSumTiles == 2) {
          if (pair == 1) sum = tiles[Shape::kSumTiles - 1][i] + tiles[Shape::kSumTiles - 1][i + 1];
          sum += __shfl_xor_sync(kAllLanes, sum, 1);
        }
        tiles[0][i] = sum;
      }
    }
  }

  // [inner warp][row of x][weight row of the block], where the ring was.
  __device__ __forceinline__ void StoreSums() {
    auto* to = reinterpret_cast<float*>(shared);
    const int stride = QuantOutStride(1 << problem.row_warps_log2);
#pragma unroll
    for (int rows = 0; rows < 2; ++rows) {
#pragma unroll
      for (int tile = 0; tile < Shape::kTiles; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int column = 8 * tile + 2 * pair + i % 2, row = row_warp * kCell + 16 * rows + group + i / 2 * 8;
          if (column < columns) to[(inner_warp * columns + column) * stride + row] = sums[rows][tile][i];
        }
      }
    }
  }

  // Four weight rows beside each other; n is a multiple of 8.
  __device__ __forceinline__ void StoreOutput(int column, int row_of_block, float4 four) {
    const std::int64_t row = (std::int64_t{blockIdx.x} * kCell << problem.row_warps_log2) + row_of_block;
    if (column >= rows_x || row >= problem.n) return;
    const std::int64_t at = (std::int64_t{first_x} + column) * problem.y_stride + row;
    if (problem.y_bf16 != nullptr) {
      *reinterpret_cast<uint2*>(problem.y_bf16 + at) = make_uint2(PackBf16(four.x, four.y), PackBf16(four.z, four.w));
      return;
    }
    auto* to = reinterpret_cast<float4*>(problem.y_f32 + at);
    *to = problem.accumulate ? Sum(*to, four) : four;
  }
  static __device__ __forceinline__ float4 Sum(const float4& a, const float4& b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
  }

  // Adds up what the inner warps and then what the splits have, each in its order; the last split to arrive does it.
  __device__ __forceinline__ void Finish() {
    const int fours_log2 = 3 + problem.row_warps_log2, mask = (1 << fours_log2) - 1;  // fours of weight rows
    const int stride = QuantOutStride(1 << problem.row_warps_log2) / 4;
    const int items = columns << fours_log2, splits = static_cast<int>(gridDim.y);
    const auto* from = reinterpret_cast<const float4*>(shared);
    const std::int64_t counter = std::int64_t{blockIdx.z} * gridDim.x + blockIdx.x;
    float4* partials = reinterpret_cast<float4*>(problem.partials) + counter * splits * items;
    for (int item = thread; item < items; item += Shape::kThreads) {
      const int column = item >> fours_log2, four = item & mask;
      float4 sum = from[column * stride + four];
      for (int i = 1; i < inner_warps; ++i) sum = Sum(sum, from[(i * columns + column) * stride + four]);
      if (splits == 1) {
        StoreOutput(column, 4 * four, sum);
      } else {
        partials[static_cast<int>(blockIdx.y) * items + item] = sum;
      }
    }
    if (splits == 1) return;
    __threadfence();
    GPU_SHARED bool is_last;
    __syncthreads();
    if (thread == 0) is_last = atomicAdd(problem.counters + counter, 1U) == static_cast<unsigned>(splits) - 1;
    __syncthreads();
    if (!is_last) return;
    __threadfence();
    for (int item = thread; item < items; item += Shape::kThreads) {
      float4 sum = __ldcg(partials + item);
#pragma unroll 4
      for (int split = 1; split < splits; ++split) sum = Sum(sum, __ldcg(partials + split * items + item));
      StoreOutput(item >> fours_log2, 4 * (item & mask), sum);
    }
    if (thread == 0) problem.counters[counter] = 0;
  }
};

template <typename Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocksTogether) QuantGemmKernel(QuantProblem problem) {
  LetNextKernelStart();
  QuantThread<Shape> state(problem, DynamicShared());
  const int steps = (state.cells_k + state.step_cells - 1) / state.step_cells;
  const int split = static_cast<int>(blockIdx.y), splits = static_cast<int>(gridDim.y);
  const int first = static_cast<int>(std::int64_t{steps} * split / splits);
  const int last = static_cast<int>(std::int64_t{steps} * (split + 1) / splits);
#pragma unroll
  for (int stage = 0; stage < Shape::kStages - 1; ++stage) {
    if (first + stage < last) state.CopyWeights(first + stage, stage);
    CopyAsyncCommit();
  }
  WaitForPreviousKernel();
  state.LoadFirstInputs(first);
  int stage = 0, stage_ahead = Shape::kStages - 1;
  for (int step = first; step < last; ++step) {
    CopyAsyncWait<Shape::kStages - 2>();
    // The stage and its x are there for those who did not copy them, and the stage before is free.
    if (state.OwnsInput()) {
      __syncwarp();
    } else {
      __syncthreads();
    }
    const int ahead = step + Shape::kStages - 1;
    if (ahead < last) {
      state.CopyWeights(ahead, stage_ahead);
      state.CopyInput(ahead, stage_ahead);
    }
    CopyAsyncCommit();
    state.Multiply(step, stage);
    stage = stage + 1 == Shape::kStages ? 0 : stage + 1;
    stage_ahead = stage_ahead + 1 == Shape::kStages ? 0 : stage_ahead + 1;
  }
  __syncthreads();
  if constexpr (Shape::kIsOne) state.JoinCells();
  state.StoreSums();
  __syncthreads();
  state.Finish();
}

template <typename Shape>
LaunchResult LaunchQuantGemm(const QuantProblem& problem, const QuantPlan& plan, Stream stream) {
  const LaunchShape shape{.grid = dim3(BlocksFor(CellsOf(problem.n), plan.row_warps),
                                       static_cast<unsigned>(plan.splits), BlocksFor(problem.m, kQuantColumnsMax)),
                          .block = dim3(Shape::kThreads),
                          .shared_bytes = static_cast<unsigned>(QuantSharedBytes(plan, Shape::kFormat)),
                          .overlap = true};
  return Launch(QuantGemmKernel<Shape>, shape, stream, problem);
}

template <int kTiles, bool kIsOne = false, int kStages = QuantStages(8 * kTiles)>
LaunchResult LaunchQuantGemm(MatrixFormat format, const QuantProblem& problem, const QuantPlan& plan, Stream stream) {
  switch (format) {
    case MatrixFormat::kQ8_0:
      return LaunchQuantGemm<QuantShape<MatrixFormat::kQ8_0, kTiles, kIsOne, kStages>>(problem, plan, stream);
    case MatrixFormat::kQ4_0:
      return LaunchQuantGemm<QuantShape<MatrixFormat::kQ4_0, kTiles, kIsOne, kStages>>(problem, plan, stream);
    case MatrixFormat::kQ4_1:
      return LaunchQuantGemm<QuantShape<MatrixFormat::kQ4_1, kTiles, kIsOne, kStages>>(problem, plan, stream);
    case MatrixFormat::kQ4_K:
      return LaunchQuantGemm<QuantShape<MatrixFormat::kQ4_K, kTiles, kIsOne, kStages>>(problem, plan, stream);
    case MatrixFormat::kBf16:
    case MatrixFormat::kFp8:
      break;
  }
  return LaunchResult::Refused("requires a quantised matrix format");
}

// By tiles of eight rows of x; two files, so that they compile beside each other.
LaunchResult LaunchQuantGemmFew(MatrixFormat format, const QuantProblem& problem, const QuantPlan& plan, Stream stream);
LaunchResult LaunchQuantGemmMany(MatrixFormat format, const QuantProblem& problem, const QuantPlan& plan,
                                 Stream stream);

}  // namespace kernels::gpu
