#pragma once

#include "kernels/attention/decode_attention_gpu.h"
#include "kernels/primitives/gpu/device.h"

namespace kernels::gpu {

// How the pieces of all contexts of a step are shared out among the blocks of the grid, on the device, where the
// lengths are known. Pieces follow one another by sequence, then key/value head, then position. A block takes those
// that start within its share of the sum of their lengths, so a share holds as many tokens whatever the contexts are,
// but for one piece and for the part of a context's last piece that it doesn't fill.

inline constexpr int kQuantumShift = 7;  // the unit of a share: 128 tokens. Every piece is a power of two of them
inline constexpr int kPiecesMax = 64;

// A context in pieces; the rule is stated in decode_attention_gpu.h. 0 pieces where there is no context.
struct PieceCut {
  int shift, pieces;  // a piece has 1 << shift tokens

  GPU_HOST_DEVICE int quanta() const { return 1 << (shift - kQuantumShift); }  // of a piece
};
GPU_HOST_DEVICE PieceCut CutContext(int context, int shortest_shift, int long_shift) {
  int shift = shortest_shift != 0 ? shortest_shift : context <= 1024 ? 7 : context <= 2048 ? 8 : long_shift;
  if (context <= 0) return {shift, 0};
  while ((context - 1) >> shift >= kPiecesMax) ++shift;
  return {shift, ((context - 1) >> shift) + 1};
}

// What the walk needs of a step.
struct DecodeRows {
  const std::int32_t* positions;
  std::int32_t sequences, kv_heads;
  std::int32_t shortest_shift;  // of a piece; 0: by the rule
  std::int32_t long_shift;      // by the rule, of a piece of a context beyond 2,048 tokens
  // The first `even_blocks` blocks take equal parts of all but `tail_percent`, the further ones equal parts of that:
  // the hardware starts them as the others end, which evens out multiprocessors of unequal speed.
  std::int32_t even_blocks, tail_percent;
};

// A place in the sequence of a block's pieces; the same in every thread that walks.
struct PieceWalk {
  int sequence, head, piece;
  int context;
  PieceCut cut;    // of that context
  int start, end;  // quanta before this piece, and those at which the block's share ends

  __device__ __forceinline__ bool AtEnd() const { return start >= end; }
  // Of the tokens of this piece.
  __device__ __forceinline__ int FirstToken() const { return piece << cut.shift; }
  __device__ __forceinline__ int EndToken() const { return min(context, (piece + 1) << cut.shift); }

  __device__ __forceinline__ void Next(const DecodeRows& rows) {  // REQUIRES: not at the end
    start += cut.quanta();
    if (AtEnd() || ++piece < cut.pieces) return;
    piece = 0;
    if (++head < rows.kv_heads) return;
    head = 0;
    do Enter(rows, sequence + 1);
    while (cut.pieces == 0);
  }

  __device__ __forceinline__ void Enter(const DecodeRows& rows, int s) {
    sequence = s;
    context = rows.positions[s] + 1;
    cut = CutContext(context, rows.shortest_shift, rows.long_shift);
  }
};

// Where share `block` of `blocks` begins, of `total` quanta.
__device__ __forceinline__ int ShareStart(const DecodeRows& rows, int total, int block, int blocks) {
  const auto in_tail = static_cast<int>(std::int64_t{total} * rows.tail_percent / 100);
  const int even = total - in_tail;
  if (block <= rows.even_blocks) return static_cast<int>(std::int64_t{even} * block / rows.even_blocks);
  return even + static_cast<int>(std::int64_t{in_tail} * (block - rows.even_blocks) / (blocks - rows.even_blocks));
}

// Quanta of one sequence: of all its heads.
__device__ __forceinline__ int QuantaOf(const DecodeRows& rows, int sequence) {
  if (sequence >= rows.sequences) return 0;
  const PieceCut cut = CutContext(rows.positions[sequence] + 1, rows.shortest_shift, rows.long_shift);
  return cut.pieces * cut.quanta() * rows.kv_heads;
}

// The first piece of block `block`; at the end at once where it has none. All lanes of the warp must call.
__device__ inline PieceWalk FindShare(const DecodeRows& rows, int block, int blocks) {
  constexpr int kAtOnce = 4;  // loads under way
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  int total = 0;
  for (int first = 0; first < rows.sequences; first += kAtOnce * kWarpLanes) {
    int quanta[kAtOnce];
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) quanta[i] = QuantaOf(rows, first + i * kWarpLanes + lane);
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) total += quanta[i];
  }
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) total += __shfl_xor_sync(kAllLanes, total, offset);

  PieceWalk walk{};
  walk.start = ShareStart(rows, total, block, blocks);
  walk.end = ShareStart(rows, total, block + 1, blocks);
  if (walk.AtEnd()) return walk;
  // The sequence that the share starts in: the first with more quanta up to its end than `start`.
  int before = 0;
  for (int first = 0;; first += kWarpLanes) {
    const int quanta = QuantaOf(rows, first + lane);
    int sum = quanta;
#pragma unroll
    for (int offset = 1; offset < kWarpLanes; offset *= 2) {
      const int below = __shfl_up_sync(kAllLanes, sum, static_cast<unsigned>(offset));
      if (lane >= offset) sum += below;
    }
    const unsigned beyond = __ballot_sync(kAllLanes, before + sum > walk.start ? 1 : 0);
    if (beyond != 0) {
      const int found = __ffs(static_cast<int>(beyond)) - 1;
      before += __shfl_sync(kAllLanes, sum - quanta, found);
      walk.Enter(rows, first + found);
      break;
    }
    before += __shfl_sync(kAllLanes, sum, kWarpLanes - 1);
  }
  // The first piece that starts in the share; it may be that of the next sequence, or none.
  const int quanta = walk.cut.quanta();
  const int index = (walk.start - before + quanta - 1) >> (walk.cut.shift - kQuantumShift);  // of the sequence's pieces
  walk.start = before + index * quanta;
  if (walk.AtEnd()) return walk;
  walk.head = index / walk.cut.pieces;
  walk.piece = index % walk.cut.pieces;
  if (walk.head == rows.kv_heads) {
    walk.head = 0;
    do walk.Enter(rows, walk.sequence + 1);
    while (walk.cut.pieces == 0);
  }
  return walk;
}

}  // namespace kernels::gpu
