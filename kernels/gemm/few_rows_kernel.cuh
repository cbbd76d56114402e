#pragma once

#include <algorithm>
#include <type_traits>

#include "kernels/gemm/few_rows_gemm.h"
#include "kernels/primitives/gpu/async_copy.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/fp8_pairs.h"
#include "kernels/primitives/gpu/mma.h"

namespace kernels::gpu {

// The kernel of few_rows_gemm.h. Weight rows are operand A of the matrix instruction, rows of x its operand B, so that
// eight rows of x cost one instruction for 16 x 16 weights and tensor cores are never what is waited for.
//
// The order along k is free as long as W and x agree on it. A lane (group = lane / 4, pair = lane % 4) therefore copies
// 16 bytes as they lie in memory, at 16 * pair of a 64-byte segment of row `group`, and feeds them to consecutive
// instructions: what it copied is what it multiplies. The ring of copies in shared memory is thus private to the lane:
// no barrier, no bank conflict, and as many bytes in flight as the ring holds, whatever the compiler does with
// registers. Where several warps share x (row_warps > 1) its slots are shared too, and each step has a barrier.
//
// Weights are copied before WaitForPreviousKernel, so the pipeline fills while the preceding kernel drains.
template <typename WeightType, typename InputType, int kClass, int kVariant>
struct FewRowsShape {
  using Weight = WeightType;
  using Input = InputType;
  static constexpr FewRowsCut kCut = kFewRowsCuts[kClass][kVariant];
  static constexpr int kRowTiles = kCut.row_tiles, kRowWarps = kCut.row_warps, kInnerWarps = kCut.inner_warps;
  static constexpr int kStages = kCut.stages, kSegments = kCut.segments;
  static constexpr int kAhead = kStages - 1;  // steps that are under way while one is multiplied
  static constexpr int kColumnTiles = 1 << kClass, kColumns = 8 * kColumnTiles;  // rows of x, in tiles of 8
  static constexpr int kWarps = kRowWarps * kInnerWarps, kThreads = kWarps * kWarpLanes;
  static constexpr int kBlockRows = 16 * kRowTiles * kRowWarps;  // weight rows

  static constexpr int kPieceValues = 16 / static_cast<int>(sizeof(Weight));  // weights in a lane's 16 bytes
  static constexpr int kSegmentValues = 4 * kPieceValues;
  static constexpr int kStepValues = kSegments * kSegmentValues;
  static constexpr int kInputPieces =
      kPieceValues * static_cast<int>(sizeof(Input)) / 16;  // of x for one of the weights
  static constexpr int kInputValues = kPieceValues / kInputPieces;
  static constexpr int kProducts = kPieceValues / 4;  // matrix instructions that a piece feeds

  // Two blocks on a multiprocessor, so that the next product's first copies run beside this one's last sums. The widest
  // cut of 256 threads would spill registers for it.
  static constexpr int kBlocksMin = kThreads * kRowTiles * kColumnTiles >= 4096 ? 1 : 2;

  static constexpr int kWeightStageBytes = 2 * kRowTiles * kSegments * 512;            // of a warp
  static constexpr int kInputSlots = kColumnTiles * kSegments * kInputPieces;          // of an inner warp
  static constexpr int kInputSlotsOfWarp = (kInputSlots + kRowWarps - 1) / kRowWarps;  // that a warp brings in
  static constexpr int kSumStride = kBlockRows + 4;  // floats; conflict-free for what lanes of one instruction store

  static constexpr int InputSlotBytes(int columns) { return FewRowsSlotBytes(kClass, columns); }
  static constexpr int SharedBytes(int columns) { return FewRowsSharedBytes(kClass, kCut, kInputPieces, columns); }
};

// Grid: (chunks of kColumns rows of x, splits, tiles of kBlockRows weight rows).
template <typename Shape>
struct FewRowsProblem {
  const typename Shape::Weight* w;  // [n][k]
  const float* w_scales;            // [n] or nullptr
  const typename Shape::Input* x;   // [m][k]
  const float* x_scales;            // [m] or nullptr
  float* y_f32;                     // [m][y_stride], one of the two
  Bf16* y_bf16;
  std::int32_t m, n, k, y_stride, columns;  // columns: of a chunk, at most kColumns
  std::int32_t split_steps;                 // of each split,
  std::int32_t split_steps_more;            // and one more of so many
  bool accumulate;
  float* partials;          // [tiles][chunks][splits][columns][kBlockRows], for splits > 1
  std::uint32_t* counters;  // [tiles][chunks]
};

// Two registers, values 4 * product .. + 3 of a lane's piece, as the matrix instruction takes them. kHalf: FP8 becomes
// half precision; otherwise BF16.
template <typename Value, bool kHalf>
__device__ __forceinline__ void Operand(const std::uint32_t (&piece)[4], int product, std::uint32_t* low,
                                        std::uint32_t* high) {
  if constexpr (std::is_same_v<Value, Bf16>) {
    *low = piece[2 * product];
    *high = piece[2 * product + 1];
  } else if constexpr (kHalf) {
    *low = HalvesOfFp8Pair(piece[product] & 0xFFFFU);
    *high = HalvesOfFp8Pair(piece[product] >> 16);
  } else {
    *low = Bf16sOfFp8Pair(piece[product] & 0xFFFFU);
    *high = Bf16sOfFp8Pair(piece[product] >> 16);
  }
}

__device__ __forceinline__ void LoadPiece(std::uint32_t (&piece)[4], const unsigned char* shared) {
  const uint4 words = *reinterpret_cast<const uint4*>(shared);
  piece[0] = words.x, piece[1] = words.y, piece[2] = words.z, piece[3] = words.w;
}

// What one thread holds: where its pieces lie and the sums of its warp's tiles.
template <typename Shape>
struct FewRowsThread {
  using Weight = typename Shape::Weight;
  using Input = typename Shape::Input;

  int lane, group, pair, row_warp, inner_warp;
  int columns;     // rows of x in this chunk
  int rows_left;   // weight rows from the warp's first on
  int inner_left;  // values of k from the lane's first piece to the end of the block's part; steps count from it
  std::int64_t k;
  const Weight* w;                          // first piece of the warp's first row `group`
  const Input* x;                           // first piece of the chunk's row `group`
  unsigned char *weight_ring, *input_ring;  // this warp's stage 0, this inner warp's
  int input_slot_bytes, input_stage_bytes;
  float sums[Shape::kRowTiles][Shape::kColumnTiles][4];

  __device__ __forceinline__ FewRowsThread(const FewRowsProblem<Shape>& problem, unsigned char* shared) {
    const int warp = static_cast<int>(threadIdx.x) / kWarpLanes;
    lane = static_cast<int>(threadIdx.x) % kWarpLanes, group = lane / 4, pair = lane % 4;
    row_warp = warp % Shape::kRowWarps, inner_warp = warp / Shape::kRowWarps;
    const int chunk = static_cast<int>(blockIdx.x), split = static_cast<int>(blockIdx.y);
    columns = min(problem.m - chunk * Shape::kColumns, Shape::kColumns);
    const int first_row = static_cast<int>(blockIdx.z) * Shape::kBlockRows + row_warp * 16 * Shape::kRowTiles;
    rows_left = problem.n - first_row;
    k = problem.k;
    const int first_step = split * problem.split_steps + min(split, problem.split_steps_more);
    const int last_step = first_step + problem.split_steps + (split < problem.split_steps_more ? 1 : 0);
    // Inner warps take turns step by step: together they read rows in longer runs than each in a part of its own.
    const int first = (first_step + inner_warp) * Shape::kStepValues + pair * Shape::kPieceValues;
    inner_left = min(problem.k, last_step * Shape::kStepValues) - first;
    w = problem.w + (first_row + group) * k + first;
    x = problem.x + (std::int64_t{chunk} * Shape::kColumns + group) * k + first;
    input_slot_bytes = Shape::InputSlotBytes(problem.columns);
    input_stage_bytes = Shape::kInputSlots * input_slot_bytes;
    weight_ring = shared + warp * Shape::kWeightStageBytes + lane * 16;
    input_ring =
        shared + Shape::kStages * Shape::kWarps * Shape::kWeightStageBytes + inner_warp * input_stage_bytes + lane * 16;
#pragma unroll
    for (auto& tiles : sums) {
#pragma unroll
      for (auto& tile : tiles) tile[0] = tile[1] = tile[2] = tile[3] = 0.0F;
    }
  }

  // Steps of the block's part that an inner warp makes; those beyond the end multiply zeros.
  __device__ __forceinline__ int Steps() const {
    const int first = inner_left + inner_warp * Shape::kStepValues + pair * Shape::kPieceValues;  // of the block
    constexpr int kTogether = Shape::kInnerWarps * Shape::kStepValues;
    return (first + kTogether - 1) / kTogether;
  }

  __device__ __forceinline__ void CopyWeights(int step, int stage) {
    const int offset = step * (Shape::kInnerWarps * Shape::kStepValues);
    unsigned char* to = weight_ring + stage * (Shape::kWarps * Shape::kWeightStageBytes);
#pragma unroll
    for (int eight = 0; eight < 2 * Shape::kRowTiles; ++eight) {  // n is a multiple of 8: eight rows exist or do not
#pragma unroll
      for (int segment = 0; segment < Shape::kSegments; ++segment) {
        const int at = offset + segment * Shape::kSegmentValues;
        CopyAsync16OfLine(to + (eight * Shape::kSegments + segment) * 512, w + eight * (8 * k) + at,
                          8 * eight < rows_left && at < inner_left);
      }
    }
  }

  // Calls visit(index, offset in the stage, piece of x, whether it exists) for each piece that this lane brings in for
  // a step. A lane's pieces of x are at pair * kPieceValues and on, like its weights.
  template <typename Visit>
  __device__ __forceinline__ void ForInputs(int step, Visit visit) {
    const int offset = step * (Shape::kInnerWarps * Shape::kStepValues);
    if (Shape::kColumnTiles == 1 && group >= columns) return;
#pragma unroll
    for (int index = 0; index < Shape::kInputSlotsOfWarp; ++index) {
      const int slot = index * Shape::kRowWarps + row_warp;
      if (Shape::kInputSlots % Shape::kRowWarps != 0 && slot >= Shape::kInputSlots) break;
      const int piece = slot % Shape::kInputPieces, segment = slot / Shape::kInputPieces % Shape::kSegments;
      const int tile = slot / (Shape::kInputPieces * Shape::kSegments);
      const int at = offset + segment * Shape::kSegmentValues;
      visit(index, slot * input_slot_bytes, x + tile * (8 * k) + at + piece * Shape::kInputValues,
            8 * tile + group < columns && at < inner_left);
    }
  }

  __device__ __forceinline__ void CopyInputs(int step, int stage) {
    unsigned char* to = input_ring + stage * (Shape::kInnerWarps * input_stage_bytes);
    ForInputs(step, [to](int, int slot, const Input* from, bool take) { CopyAsync16(to + slot, from, take); });
  }

  // The first kAhead steps' x, through registers: groups of asynchronous copies end in their order, so that copies of x
  // behind those of the weights would hold up the first step until the weights of all of these steps are here.
  __device__ __forceinline__ void LoadFirstInputs() {
    uint4 values[Shape::kAhead][Shape::kInputSlotsOfWarp];
#pragma unroll
    for (int step = 0; step < Shape::kAhead; ++step) {
      ForInputs(step, [&](int index, int, const Input* from, bool take) {
        values[step][index] = take ? __ldcg(reinterpret_cast<const uint4*>(from)) : uint4{0, 0, 0, 0};
      });
    }
#pragma unroll
    for (int step = 0; step < Shape::kAhead; ++step) {
      unsigned char* to = input_ring + step * (Shape::kInnerWarps * input_stage_bytes);
      ForInputs(step, [&](int index, int slot, const Input*, bool) {
        *reinterpret_cast<uint4*>(to + slot) = values[step][index];
      });
    }
  }

  __device__ __forceinline__ void MultiplySegment(const unsigned char* weights, const unsigned char* inputs) {
    constexpr bool kHalf = std::is_same_v<Input, Fp8>;  // then both are
    constexpr int kProductsOfInput = Shape::kProducts / Shape::kInputPieces;
    constexpr int kTogether = Shape::kColumnTiles < 4 ? Shape::kColumnTiles : 4;  // column tiles: their x in registers
    std::uint32_t w_pieces[Shape::kRowTiles][2][4];
#pragma unroll
    for (int eight = 0; eight < 2 * Shape::kRowTiles; ++eight) {
      LoadPiece(w_pieces[eight / 2][eight % 2], weights + eight * (Shape::kSegments * 512));
    }
#pragma unroll
    for (int part = 0; part < Shape::kInputPieces * Shape::kColumnTiles; part += kTogether) {
      const int piece = part / Shape::kColumnTiles, first_column = part % Shape::kColumnTiles;
      std::uint32_t x_pieces[kTogether][4] = {};
#pragma unroll
      for (int column = 0; column < kTogether; ++column) {
        if (Shape::kColumnTiles > 1 || group < columns) {
          const int slot = (first_column + column) * Shape::kSegments * Shape::kInputPieces + piece;
          LoadPiece(x_pieces[column], inputs + slot * input_slot_bytes);
        }
      }
#pragma unroll
      for (int product = 0; product < kProductsOfInput; ++product) {
        std::uint32_t a[Shape::kRowTiles][4];
#pragma unroll
        for (int tile = 0; tile < Shape::kRowTiles; ++tile) {
          const int of_weights = piece * kProductsOfInput + product;
          Operand<Weight, kHalf>(w_pieces[tile][0], of_weights, &a[tile][0], &a[tile][2]);
          Operand<Weight, kHalf>(w_pieces[tile][1], of_weights, &a[tile][1], &a[tile][3]);
        }
#pragma unroll
        for (int column = 0; column < kTogether; ++column) {
          std::uint32_t b[2];
          Operand<Input, kHalf>(x_pieces[column], product, &b[0], &b[1]);
#pragma unroll
          for (int tile = 0; tile < Shape::kRowTiles; ++tile) {
            if constexpr (kHalf) {
              MmaF16(sums[tile][first_column + column], a[tile], b);
            } else {
              MmaBf16(sums[tile][first_column + column], a[tile], b);
            }
          }
        }
      }
    }
  }

  __device__ __forceinline__ void Multiply(int stage) {
    const unsigned char* weights = weight_ring + stage * (Shape::kWarps * Shape::kWeightStageBytes);
    const unsigned char* inputs = input_ring + stage * (Shape::kInnerWarps * input_stage_bytes);
#pragma unroll
    for (int segment = 0; segment < Shape::kSegments; ++segment) {
      MultiplySegment(weights + segment * 512, inputs + segment * Shape::kInputPieces * input_slot_bytes);
    }
  }

  // all: [kInnerWarps][columns][kSumStride], over the ring
  __device__ __forceinline__ void StoreSums(float* all) const {
    float* mine = all + inner_warp * columns * Shape::kSumStride + row_warp * 16 * Shape::kRowTiles + group;
#pragma unroll
    for (int tile = 0; tile < Shape::kRowTiles; ++tile) {
#pragma unroll
      for (int column_tile = 0; column_tile < Shape::kColumnTiles; ++column_tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int column = 8 * column_tile + 2 * pair + i % 2;
          if (column < columns) mine[column * Shape::kSumStride + 16 * tile + i / 2 * 8] = sums[tile][column_tile][i];
        }
      }
    }
  }
};

// Scales and stores four neighbours of a row of y.
template <typename Shape>
__device__ __forceinline__ void StoreOutput(const FewRowsProblem<Shape>& problem, int row, int column, float4 scales,
                                            float4 sum) {
  if (column >= problem.n) return;
  if constexpr (std::is_same_v<typename Shape::Weight, Fp8>) {
    sum.x *= scales.x, sum.y *= scales.y, sum.z *= scales.z, sum.w *= scales.w;
  }
  if constexpr (std::is_same_v<typename Shape::Input, Fp8>) {
    const float scale = problem.x_scales[row];
    sum.x *= scale, sum.y *= scale, sum.z *= scale, sum.w *= scale;
  }
  const std::int64_t at = std::int64_t{row} * problem.y_stride + column;
  if (problem.y_bf16 != nullptr) {
    const uint2 packed = {PackBf16(sum.x, sum.y), PackBf16(sum.z, sum.w)};
    *reinterpret_cast<uint2*>(problem.y_bf16 + at) = packed;
    return;
  }
  auto* y = reinterpret_cast<float4*>(problem.y_f32 + at);
  if (problem.accumulate) {
    const float4 old = *y;
    sum.x += old.x, sum.y += old.y, sum.z += old.z, sum.w += old.w;
  }
  *y = sum;
}

// True in every thread of the block that arrives last of the `splits` that share a tile; what the others wrote before
// is then visible.
//   flag : shared memory, free once every thread is here
__device__ __forceinline__ bool IsLastSplit(std::uint32_t* counter, std::uint32_t* flag) {
  __syncthreads();
  if (threadIdx.x == 0) {  // what the block wrote before the barrier is published, and seen, through its first thread
    __threadfence();
    const bool last = atomicAdd(counter, 1U) == gridDim.y - 1;
    __threadfence();
    if (last) *counter = 0;  // as it was found, for the next product
    *flag = last ? 1 : 0;
  }
  __syncthreads();
  return *flag != 0;
}

// Which four neighbours of y a thread stores, in rows kRowsApart apart; the same ones whichever row, so that it can
// read their scales long before it needs them.
template <typename Shape>
struct FewRowsOutput {
  static constexpr int kFours = Shape::kBlockRows / 4, kRowsApart = Shape::kThreads / kFours;
  static_assert(Shape::kThreads % kFours == 0);
  int row, in_block, column;  // the first row; the first column, in the block's and in y
  float4 scales;              // of the weights; unused for BF16

  __device__ __forceinline__ explicit FewRowsOutput(const FewRowsProblem<Shape>& problem) {
    row = static_cast<int>(threadIdx.x) / kFours;
    in_block = static_cast<int>(threadIdx.x) % kFours * 4;
    column = static_cast<int>(blockIdx.z) * Shape::kBlockRows + in_block;
    scales = {1.0F, 1.0F, 1.0F, 1.0F};
    if (std::is_same_v<typename Shape::Weight, Fp8> && column < problem.n) {
      scales = *reinterpret_cast<const float4*>(problem.w_scales + column);
    }
  }

  // Adds up `count` parts of this thread's rows, always in their order, and calls store(row, sum) for each row.
  //   parts : this thread's column of row 0 of the first part; rows and parts are so many floats apart
  // Several rows at once: the last block of a split waits for the L2 cache, and the more of it is under way the better.
  template <typename Store>
  __device__ __forceinline__ void AddUp(const float* parts, int row_stride, int count, std::int64_t part_stride,
                                        int columns, Store store) const {
    constexpr int kBatch = std::clamp(Shape::kColumns / kRowsApart, 1, 4);
    for (int first = row; first < columns; first += kBatch * kRowsApart) {
      float4 sums[kBatch] = {};
#pragma unroll 4
      for (int part = 0; part < count; ++part) {
#pragma unroll
        for (int i = 0; i < kBatch; ++i) {
          const int r = first + i * kRowsApart;
          if (r >= columns) continue;
          const float4 one = *reinterpret_cast<const float4*>(parts + part * part_stride + r * row_stride);
          sums[i].x += one.x, sums[i].y += one.y, sums[i].z += one.z, sums[i].w += one.w;
        }
      }
#pragma unroll
      for (int i = 0; i < kBatch; ++i) {
        const int r = first + i * kRowsApart;
        if (r < columns) store(r, sums[i]);
      }
    }
  }

  // sums: [kInnerWarps][columns][kSumStride] in shared memory
  __device__ __forceinline__ void AddUpAndStore(const FewRowsProblem<Shape>& problem, int columns, float* sums) const {
    const int first_row = static_cast<int>(blockIdx.x) * Shape::kColumns;
    const auto store_output = [&](int r, float4 sum) { StoreOutput(problem, first_row + r, column, scales, sum); };
    if (gridDim.y == 1) {
      AddUp(sums + in_block, Shape::kSumStride, Shape::kInnerWarps, columns * Shape::kSumStride, columns, store_output);
      return;
    }
    const std::int64_t tile = std::int64_t{blockIdx.z} * gridDim.x + blockIdx.x;
    const std::int64_t part = std::int64_t{problem.columns} * Shape::kBlockRows;  // floats of one split
    float* partials = problem.partials + tile * gridDim.y * part + in_block;
    AddUp(sums + in_block, Shape::kSumStride, Shape::kInnerWarps, columns * Shape::kSumStride, columns,
          [&](int r, float4 sum) {
            *reinterpret_cast<float4*>(partials + blockIdx.y * part + r * Shape::kBlockRows) = sum;
          });
    if (!IsLastSplit(problem.counters + tile, reinterpret_cast<std::uint32_t*>(sums))) return;
    AddUp(partials, Shape::kBlockRows, static_cast<int>(gridDim.y), part, columns, store_output);
  }
};

template <typename Shape>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocksMin) FewRowsKernel(FewRowsProblem<Shape> problem) {
  LetNextKernelStart();
  unsigned char* shared = DynamicShared();
  FewRowsThread<Shape> thread(problem, shared);
  const FewRowsOutput<Shape> output(problem);
#pragma unroll
  for (int step = 0; step < Shape::kAhead; ++step) {
    thread.CopyWeights(step, step);
    CopyAsyncCommit();
  }
  WaitForPreviousKernel();
  thread.LoadFirstInputs();
  const int steps = thread.Steps();
  int stage = 0, stage_ahead = Shape::kAhead;
  for (int step = 0; step < steps; ++step) {
    // kAhead + step groups are under way; that of this step is done when all but the last kAhead - 1 are.
    CopyAsyncWait<Shape::kAhead - 1>();
    if constexpr (Shape::kRowWarps > 1) __syncthreads();
    // The stage that was multiplied in the step before is free.
    thread.CopyWeights(step + Shape::kAhead, stage_ahead);
    thread.CopyInputs(step + Shape::kAhead, stage_ahead);
    CopyAsyncCommit();
    thread.Multiply(stage);
    stage = stage + 1 == Shape::kStages ? 0 : stage + 1;
    stage_ahead = stage_ahead + 1 == Shape::kStages ? 0 : stage_ahead + 1;
  }
  CopyAsyncWait<0>();
  __syncthreads();
  auto* sums = reinterpret_cast<float*>(shared);
  thread.StoreSums(sums);
  __syncthreads();
  output.AddUpAndStore(problem, thread.columns, sums);
}

}  // namespace kernels::gpu
