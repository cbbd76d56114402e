#pragma once

#include <algorithm>

#include "kernels/attention/decode_launch.h"
#include "kernels/attention/decode_softmax.h"
#include "kernels/attention/decode_tile.h"
#include "kernels/attention/decode_walk.h"
#include "kernels/kvcache/unknown_block.h"
#include "kernels/primitives/gpu/exp2.h"

// Flash-decoding (Dao et al. 2023) over paged K and V. What bounds it is memory: K and V are read once, and per
// multiprocessor some 25 KB must always be under way (4.8 TB/s * 0.7 us / 132). Each warp keeps a ring of tiles in
// shared memory, filled by asynchronous copies; three blocks of four warps with two tiles of 8 KB each are 192 KB. The
// ring runs on through the ends of pieces, heads and sequences, and block ids are loaded a tile ahead of their use, so
// that it empties only where a block begins and ends. The grid is as large as what is resident at once, plus small
// blocks.
namespace kernels::gpu {

inline constexpr int kWarps = 4;  // of a block; they take the tiles of a piece in turn. A part of the arithmetic
inline constexpr int kThreads = kWarps * kWarpLanes;

// The workspace of a sequence: a counter of finished pieces for each key/value head, then of every piece and head the
// maximum and the sum of its softmax, then its output before the division by that sum.
struct PieceResults {
  std::int32_t* finished;  // [kv_heads]
  float2* softmax;         // [kv_heads][kPiecesMax][group]
  float* output;           // [kv_heads][kPiecesMax][group][head_dim]
};
__device__ __forceinline__ PieceResults ResultsOf(const DecodeArguments& a, int sequence) {
  unsigned char* record = a.workspace + sequence * a.workspace_stride;
  unsigned char* softmax = record + DecodeCounterBytes(a.heads);
  unsigned char* output = softmax + std::int64_t{a.heads} * kPiecesMax * static_cast<int>(sizeof(float2));
  return {reinterpret_cast<std::int32_t*>(record), reinterpret_cast<float2*>(softmax),
          reinterpret_cast<float*>(output)};
}

// What the warps hand each other at the end of a piece, in shared memory behind their rings.
struct Handover {
  float* output;        // [kWarps][min(group, kHeadTile)][row]
  float2* softmax;      // [kWarps][kHeadTile]: maximum and sum
  std::int32_t* joins;  // whether this block joins the pieces

  static constexpr int Row(int head_dim) { return head_dim + 4; }
  static constexpr int OutputBytes(int group, int head_dim) {
    return kWarps * (group < kHeadTile ? group : kHeadTile) * Row(head_dim) * 4;
  }
  static constexpr int Bytes(int group, int head_dim) {
    return OutputBytes(group, head_dim) + kWarps * kHeadTile * static_cast<int>(sizeof(float2)) + 16;
  }
  __device__ __forceinline__ Handover(unsigned char* memory, int group, int head_dim)
      : output(reinterpret_cast<float*>(memory)),
        softmax(reinterpret_cast<float2*>(memory + OutputBytes(group, head_dim))),
        joins(reinterpret_cast<std::int32_t*>(softmax + kWarps * kHeadTile)) {}
};

__device__ __forceinline__ float4 LoadFloat4(const float* from) { return *reinterpret_cast<const float4*>(from); }
__device__ __forceinline__ void AddScaled(float4& sum, float factor, const float4& value) {
  sum.x += factor * value.x, sum.y += factor * value.y, sum.z += factor * value.z, sum.w += factor * value.w;
}
__device__ __forceinline__ void StoreOutput(Bf16* y, const float4& sum, float factor) {
  uint2 packed;
  packed.x = PackBf16(sum.x * factor, sum.y * factor);
  packed.y = PackBf16(sum.z * factor, sum.w * factor);
  *reinterpret_cast<uint2*>(y) = packed;
}

// One warp's ring of tiles, filled ahead of the computation: it walks over its tiles of all the block's pieces.
template <KvFormat kFormat, int kHeadDim>
class TileRing {
 public:
  using Tile = DecodeTile<kFormat, kHeadDim>;
  static constexpr int kStageBytes = 2 * Tile::kTileBytes;  // keys, values

  __device__ __forceinline__ TileRing(const DecodeArguments& a, const PieceWalk& walk, unsigned char* memory,
                                      WarpLane lane, int warp)
      : a_(a), walk_(walk), memory_(memory), lane_(lane), warp_(warp) {
    ids_ = a.block_ids + a.block_begin[walk_.sequence];
    token_ = walk_.FirstToken() + warp_ * kTileKeys;
    FindTile();
    for (int i = 0; i < a.stages; ++i) Fetch(i);
  }

  // The oldest tile; keys, then values.
  __device__ __forceinline__ const unsigned char* Wait() const {
    switch (a_.stages) {
      case 1:
        CopyAsyncWait<0>();
        break;
      case 2:
        CopyAsyncWait<1>();
        break;
      case 3:
        CopyAsyncWait<2>();
        break;
      case 4:
        CopyAsyncWait<3>();
        break;
      case 5:
        CopyAsyncWait<4>();
        break;
      default:
        CopyAsyncWait<5>();
        break;
    }
    __syncwarp();
    return memory_ + slot_ * kStageBytes;
  }
  // The oldest tile has been consumed.
  __device__ __forceinline__ void Advance() {
    __syncwarp();
    Fetch(slot_);
    slot_ = slot_ + 1 == a_.stages ? 0 : slot_ + 1;
  }

 private:
  // From token_ on, the next tile that is this warp's; its block id is asked for, and used at the next Fetch.
  __device__ __forceinline__ void FindTile() {
    while (token_ >= walk_.EndToken()) {
      const int sequence = walk_.sequence;
      walk_.Next(a_.rows);
      if (walk_.AtEnd()) return;
      if (walk_.sequence != sequence) ids_ = a_.block_ids + a_.block_begin[walk_.sequence];
      token_ = walk_.FirstToken() + warp_ * kTileKeys;
    }
    id_ = ids_[token_ >> a_.block_shift];
  }
  __device__ __forceinline__ void Fetch(int slot) {
    if (!walk_.AtEnd()) {
      const std::int64_t row = ((std::int64_t{id_} * a_.rows.kv_heads + walk_.head) << a_.block_shift) +
                               (token_ & ((1 << a_.block_shift) - 1));
      unsigned char* const to = memory_ + slot * kStageBytes;
      const int rows = walk_.context - token_;
      const auto rows_of = [&](const unsigned char* plane) {
        return static_cast<const unsigned char*>(KnownRows(plane + row * Tile::kRowBytes, id_, a_.blocks_total));
      };
      const unsigned char *const keys = rows_of(a_.k), *const values = rows_of(a_.v);
      if (a_.l2_bytes == 0) {
        FetchTile<0>(to, keys, values, rows);
      } else if (a_.l2_bytes == 128) {
        FetchTile<128>(to, keys, values, rows);
      } else {
        FetchTile<256>(to, keys, values, rows);
      }
      token_ += kWarps * kTileKeys;
      FindTile();
    }
    CopyAsyncCommit();  // also where there is nothing left, so that Wait can count
  }

  template <int kL2Bytes>
  __device__ __forceinline__ void FetchTile(unsigned char* to, const unsigned char* keys, const unsigned char* values,
                                            int rows) {
    Tile::template Fetch<kL2Bytes>(to, keys, rows, lane_);
    Tile::template Fetch<kL2Bytes>(to + Tile::kTileBytes, values, rows, lane_);
  }

  const DecodeArguments& a_;
  PieceWalk walk_;
  unsigned char* memory_;
  WarpLane lane_;
  int warp_;
  int slot_ = 0;   // of the oldest tile
  int token_ = 0;  // of the next tile to fetch, in the context
  const std::uint32_t* ids_ = nullptr;
  std::uint32_t id_ = 0;
};

// One warp's part of a piece, of the heads of one tile, to shared memory. All lanes must call.
template <KvFormat kFormat, int kHeadDim, int kHeadTiles>
__device__ __forceinline__ void HandOver(const Partial<kFormat, kHeadDim, kHeadTiles>& partial, int tile, int group,
                                         const Handover& handover, WarpLane lane, int warp) {
  using Tile = DecodeTile<kFormat, kHeadDim>;
  const int heads = min(group - tile * kHeadTile, kHeadTile), rows_of_warp = min(group, kHeadTile);
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int head = 2 * lane.pair + i;
    float sum = partial.sum[tile][i];
#pragma unroll
    for (int offset = 4; offset < kWarpLanes; offset *= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
    if (head >= heads) continue;
    if (lane.group == 0) handover.softmax[warp * kHeadTile + head] = make_float2(partial.maximum[tile][i], sum);
    float* const row = handover.output + (warp * rows_of_warp + head) * Handover::Row(kHeadDim);
    Tile::ForValueSpans([&](auto width, int offset) {
      constexpr int kWidth = decltype(width)::value;
#pragma unroll
      for (int u = 0; u < kWidth / Tile::kValueBytes / 2; ++u) {
        const auto& value = partial.output[tile][offset / Tile::kValueBytes / 16 + u];
        *reinterpret_cast<float2*>(row + Tile::template ValueDim<kWidth>(offset, lane) + 2 * u) =
            make_float2(value[i], value[i + 2]);
      }
    });
  }
}

// Joins the warps' parts of one piece, in the order of the warps, and stores the result: in y where the piece is the
// whole context, in the workspace otherwise. All threads must call.
template <KvFormat kFormat, int kHeadDim, int kHeadTiles>
__device__ __forceinline__ void JoinWarps(const DecodeArguments& a, const PieceWalk& walk,
                                          const Partial<kFormat, kHeadDim, kHeadTiles>& partial,
                                          const Handover& handover, WarpLane lane, int warp) {
  constexpr int kQuarters = kHeadDim / 4;
  const int rows_of_warp = min(a.group, kHeadTile);
#pragma unroll
  for (int tile = 0; tile < kHeadTiles; ++tile) {
    HandOver(partial, tile, a.group, handover, lane, warp);
    __syncthreads();
    const int heads = min(a.group - tile * kHeadTile, kHeadTile);
    for (int item = static_cast<int>(threadIdx.x); item < heads * kQuarters; item += kThreads) {
      const int head = item / kQuarters, dim = item % kQuarters * 4, of_group = tile * kHeadTile + head;
      float maximum = -kInfinity, sum = 0.0F;
#pragma unroll
      for (int w = 0; w < kWarps; ++w) maximum = fmaxf(maximum, handover.softmax[w * kHeadTile + head].x);
      float4 output = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
#pragma unroll
      for (int w = 0; w < kWarps; ++w) {
        const float2 softmax = handover.softmax[w * kHeadTile + head];
        const float factor = Exp2(softmax.x - maximum);  // 0 for a warp that had no tile
        sum += factor * softmax.y;
        AddScaled(output, factor,
                  LoadFloat4(handover.output + (w * rows_of_warp + head) * Handover::Row(kHeadDim) + dim));
      }
      if (walk.cut.pieces == 1) {
        const std::int64_t row = std::int64_t{walk.sequence} * a.heads + walk.head * a.group + of_group;
        StoreOutput(a.y + row * kHeadDim + dim, output, a.v_scale / sum);
      } else {
        const PieceResults results = ResultsOf(a, walk.sequence);
        const std::int64_t row = std::int64_t{walk.head * kPiecesMax + walk.piece} * a.group + of_group;
        *reinterpret_cast<float4*>(results.output + row * kHeadDim + dim) = output;
        if (dim == 0) results.softmax[row] = make_float2(maximum, sum);
      }
    }
    __syncthreads();  // the next tile or piece writes over it
  }
}

// The pieces of (walk.sequence, walk.head) to y, in their order. Nothing else hides the loads' time, and a single
// sequence waits for all of it: as many at once as registers hold.
template <int kHeadDim>
__device__ __forceinline__ void JoinPieces(const DecodeArguments& a, const PieceWalk& walk) {
  constexpr int kQuarters = kHeadDim / 4, kAtOnce = 8;
  const PieceResults results = ResultsOf(a, walk.sequence);
  const float2* const softmax = results.softmax + std::int64_t{walk.head * kPiecesMax} * a.group;
  const float* const outputs = results.output + std::int64_t{walk.head * kPiecesMax} * a.group * kHeadDim;
  for (int item = static_cast<int>(threadIdx.x); item < a.group * kQuarters; item += kThreads) {
    const int head = item / kQuarters, dim = item % kQuarters * 4;
    float maximum = -kInfinity, sum = 0.0F;
    float4 output = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
    for (int first = 0; first < walk.cut.pieces; first += kAtOnce) {
      float2 of_piece[kAtOnce];
      float4 value[kAtOnce];
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const bool exists = first + i < walk.cut.pieces;
        const int row = (first + i) * a.group + head;
        of_piece[i] = exists ? softmax[row] : make_float2(-kInfinity, 0.0F);
        value[i] = exists ? LoadFloat4(outputs + row * kHeadDim + dim) : make_float4(0.0F, 0.0F, 0.0F, 0.0F);
      }
      float largest = maximum;
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) largest = fmaxf(largest, of_piece[i].x);
      const float shrink = Exp2(maximum - largest);
      sum *= shrink;
      output.x *= shrink, output.y *= shrink, output.z *= shrink, output.w *= shrink;
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        const float factor = Exp2(of_piece[i].x - largest);
        sum += factor * of_piece[i].y;
        AddScaled(output, factor, value[i]);
      }
      maximum = largest;
    }
    const std::int64_t row = std::int64_t{walk.sequence} * a.heads + walk.head * a.group + head;
    StoreOutput(a.y + row * kHeadDim + dim, output, a.v_scale / sum);
  }
}

// This block has stored `done` pieces of (walk.sequence, walk.head). Whoever stores the last ones joins them all:
// nobody waits. Fences as in CUDA C++ Programming Guide, "Memory Fence Functions". All threads must call.
template <int kHeadDim>
__device__ __forceinline__ void FinishPieces(const DecodeArguments& a, const PieceWalk& walk, int done,
                                             const Handover& handover) {
  if (done < walk.cut.pieces) {
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
      std::int32_t* const finished = ResultsOf(a, walk.sequence).finished + walk.head;
      *handover.joins = atomicAdd(finished, done) + done == walk.cut.pieces ? 1 : 0;
      if (*handover.joins != 0) *finished = 0;  // for the next launch
    }
    __syncthreads();
    if (*handover.joins == 0) return;
    __threadfence();
  }
  JoinPieces<kHeadDim>(a, walk);
}

constexpr int BlocksResident(int head_dim, int head_tiles) {
  return head_dim * head_tiles <= 64 ? 4 : head_dim * head_tiles <= 128 ? 3 : 2;
}

template <KvFormat kFormat, int kHeadDim, int kHeadTiles>
__global__ void __launch_bounds__(kThreads, BlocksResident(kHeadDim, kHeadTiles)) Decode(const DecodeArguments a) {
  using Ring = TileRing<kFormat, kHeadDim>;
  const int lane_index = static_cast<int>(threadIdx.x) % kWarpLanes, warp = static_cast<int>(threadIdx.x) / kWarpLanes;
  const WarpLane lane{lane_index / 4, lane_index % 4};
  unsigned char* const shared = DynamicShared();
  const Handover handover(shared + kWarps * a.stages * Ring::kStageBytes, a.group, kHeadDim);

  WaitForPreviousKernel();
  LetNextKernelStart();
  PieceWalk walk = FindShare(a.rows, static_cast<int>(blockIdx.x), static_cast<int>(gridDim.x));
  if (walk.AtEnd()) return;
  Ring ring(a, walk, shared + warp * a.stages * Ring::kStageBytes, lane, warp);
  Queries<kFormat, kHeadDim, kHeadTiles> queries;
  Partial<kFormat, kHeadDim, kHeadTiles> partial;
  while (!walk.AtEnd()) {
    queries.Load(a.q + walk.sequence * a.q_stride + walk.head * a.group * kHeadDim, a.group, a.score_scale, lane);
    PieceWalk piece = walk;
    int done = 0;
    while (true) {  // the block's pieces of one sequence and head
      piece = walk;
      partial.Clear();
      for (int token = piece.FirstToken() + warp * kTileKeys; token < piece.EndToken(); token += kWarps * kTileKeys) {
        partial.AddTile(ring.Wait(), queries, piece.context - token, lane);
        ring.Advance();
      }
      JoinWarps<kFormat, kHeadDim, kHeadTiles>(a, piece, partial, handover, lane, warp);
      ++done;
      walk.Next(a.rows);
      if (walk.AtEnd() || piece.piece + 1 == piece.cut.pieces) break;
    }
    if (piece.cut.pieces > 1) FinishPieces<kHeadDim>(a, piece, done, handover);
  }
}

// What a multiprocessor has, and how many there are.
struct Card {
  int multiprocessors, shared_bytes, shared_bytes_of_block;
};
inline LaunchResult ThisCard(Card* card) {
#if defined(GPU_EMULATOR)
  const auto shared_bytes = static_cast<int>(emulator::SharedLimit());
  *card = {4, shared_bytes + 1024, shared_bytes};
  return LaunchResult::Ok();
#else
  int device = 0;
  GPU_RETURN_IF_ERROR(ResultOf(cudaGetDevice(&device)));
  GPU_RETURN_IF_ERROR(ResultOf(cudaDeviceGetAttribute(&card->multiprocessors, cudaDevAttrMultiProcessorCount, device)));
  GPU_RETURN_IF_ERROR(
      ResultOf(cudaDeviceGetAttribute(&card->shared_bytes, cudaDevAttrMaxSharedMemoryPerMultiprocessor, device)));
  return ResultOf(
      cudaDeviceGetAttribute(&card->shared_bytes_of_block, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
#endif
}

// The most pieces of a context up to `context_max`; the rule gives fewer where it goes on to longer ones.
inline std::int64_t PiecesMax(int context_max, const DecodeRows& rows) {
  const auto pieces = [&](int context) {
    return CutContext(std::min(context_max, context), rows.shortest_shift, rows.long_shift).pieces;
  };
  if (rows.shortest_shift != 0)
    return std::min<std::int64_t>(BlocksFor(context_max, 1 << rows.shortest_shift), kPiecesMax);
  return std::max({pieces(1024), pieces(2048), pieces(kPiecesMax << rows.long_shift)});
}

// How many blocks share at most `pieces`, where `slots` blocks run at a time: a block each, or as many as run at a
// time, whose rings go on from piece to piece. Many pieces leave a tail for small blocks.
inline std::int64_t ShareOut(const DecodeAttentionTuning& tuning, std::int64_t pieces, std::int64_t slots,
                             DecodeRows* rows) {
  const std::int64_t even = tuning.blocks != 0 ? tuning.blocks : std::min(pieces, slots);
  std::int64_t tail_percent = pieces >= 8 * slots ? 10 : 0;
  if (tuning.tail_percent >= 0) tail_percent = tuning.tail_percent;
  const std::int64_t tail = std::clamp<std::int64_t>(pieces * tail_percent / 100, tail_percent != 0 ? 1 : 0, 4 * slots);
  rows->even_blocks = static_cast<std::int32_t>(even);
  rows->tail_percent = static_cast<std::int32_t>(tail_percent);
  return even + tail;
}

// How deep the rings are, where `resident(stages)` blocks fit a multiprocessor: as many tiles under way as there is
// room for, rather by more blocks than by deeper rings. Unless fewer blocks at a time leave a much smaller part of the
// multiprocessors idle in the last round. A ring of one tile, which never has a copy under way while it is used, is
// only for want of room.
template <typename Resident>
int ChooseStages(std::int64_t pieces, int multiprocessors, Resident resident) {
  const std::int64_t each = BlocksFor(pieces, multiprocessors);
  const auto most = [&](int blocks) {  // pieces of a multiprocessor's slots, idle ones included
    return each <= blocks ? each : BlocksFor(each, blocks) * std::int64_t{blocks};
  };
  const auto is_better = [&](int stages, int than) {
    const int blocks = resident(stages), other_blocks = resident(than);
    if (blocks == 0 || other_blocks == 0) return other_blocks == 0 && blocks != 0;
    if (4 * most(blocks) <= 3 * most(other_blocks)) return true;
    return most(blocks) <= most(other_blocks) && blocks * stages > other_blocks * than;
  };
  int best = resident(2) != 0 ? 2 : kDecodeStagesMin;
  for (int stages = 3; stages <= kDecodeStagesMax; ++stages) {
    if (is_better(stages, best)) best = stages;
  }
  return best;
}

// All of the on-chip memory that can be is to be shared memory: the driver's own choice may be enough for one block
// only.
template <typename Kernel>
LaunchResult PreferShared([[maybe_unused]] Kernel* kernel) {
#if defined(GPU_EMULATOR)
  return LaunchResult::Ok();
#else
  return ResultOf(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                       cudaFuncAttributePreferredSharedMemoryCarveout, cudaSharedmemCarveoutMaxShared));
#endif
}

template <KvFormat kFormat, int kHeadDim, int kHeadTiles>
LaunchResult LaunchDecode(const DecodeAttention& attention, DecodeArguments a, Stream stream) {
  constexpr int kStageBytes = kWarps * TileRing<kFormat, kHeadDim>::kStageBytes;
  Card card{};
  GPU_RETURN_IF_ERROR(ThisCard(&card));
  const auto bytes = [&](int stages) { return stages * kStageBytes + Handover::Bytes(a.group, kHeadDim); };
  const auto resident = [&](int stages) {  // blocks; each costs 1 KB more
    if (bytes(stages) > card.shared_bytes_of_block) return 0;
    return std::min(BlocksResident(kHeadDim, kHeadTiles), card.shared_bytes / (bytes(stages) + 1024));
  };
  const std::int64_t pieces = PiecesMax(attention.context_max, a.rows) * a.rows.sequences * a.rows.kv_heads;
  a.stages = attention.tuning.stages;
  if (a.stages == 0) a.stages = ChooseStages(pieces, card.multiprocessors, resident);
  if (resident(a.stages) == 0) return LaunchResult::Refused("the card has too little shared memory for this head_dim");
  const std::int64_t blocks = ShareOut(attention.tuning, pieces, card.multiprocessors * resident(a.stages), &a.rows);
  GPU_RETURN_IF_ERROR(PreferShared(Decode<kFormat, kHeadDim, kHeadTiles>));
  LaunchShape shape;
  shape.grid = dim3(static_cast<unsigned>(blocks));
  shape.block = dim3(kThreads);
  shape.shared_bytes = static_cast<unsigned>(bytes(a.stages));
  shape.overlap = true;
  return Launch(Decode<kFormat, kHeadDim, kHeadTiles>, shape, stream, a);
}

template <KvFormat kFormat, int kHeadDim>
LaunchResult LaunchForGroup(const DecodeAttention& attention, const DecodeArguments& a, Stream stream) {
  if (a.group <= kHeadTile) return LaunchDecode<kFormat, kHeadDim, 1>(attention, a, stream);
  return LaunchDecode<kFormat, kHeadDim, 2>(attention, a, stream);
}

template <KvFormat kFormat>
LaunchResult LaunchForHeadDim(const DecodeAttention& attention, const DecodeArguments& a, Stream stream) {
  switch (attention.kv.head_dim) {
    case 64:
      return LaunchForGroup<kFormat, 64>(attention, a, stream);
    case 96:
      return LaunchForGroup<kFormat, 96>(attention, a, stream);
    case 128:
      return LaunchForGroup<kFormat, 128>(attention, a, stream);
    case 256:
      return LaunchForGroup<kFormat, 256>(attention, a, stream);
    default:
      return LaunchResult::Refused("requires head_dim 64, 96, 128 or 256");
  }
}

}  // namespace kernels::gpu
