#include "kernels/attention/prefill_attention_gpu.h"
#include "kernels/attention/prefill_attention_hopper.h"
#include "kernels/attention/prefill_tile.h"
#include "kernels/kvcache/check_paged_kv.h"
#include "kernels/kvcache/unknown_block.h"
#include "kernels/primitives/gpu/async_copy.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/mma.h"

namespace kernels::gpu {

// What kBest means on a card of capability 9.0, where the shape allows it; kWarp turns the warpgroup kernels off.
constexpr PrefillVariant kBestOnHopper = PrefillVariant::kWarpgroupPingPong;

namespace {

// FlashAttention-2 (Dao 2023) with the warp's matrix instructions. A block computes kRows packed query rows, each warp
// kRowTiles * 16 of them: their output stays in registers while the keys and the values pass through a ring of kStages
// slots in shared memory, K and V of a key tile in turn. With two row tiles a warp uses each fragment of K and V that
// it reads from shared memory twice; with one, the reads would take longer than the products.
template <int kHeadDim_, int kRowTiles_, int kStages_, bool kQInRegisters_>
struct Shape {
  static constexpr int kHeadDim = kHeadDim_;
  static constexpr int kRowTiles = kRowTiles_;
  static constexpr int kStages = kStages_;
  static constexpr bool kQInRegisters = kQInRegisters_;

  static constexpr int kWarps = 4, kThreads = kWarps * kWarpLanes;
  static constexpr int kRows = kWarps * kRowTiles * 16;
  static constexpr int kKeys = 64;                // a warp copies 16 of them: within one block of any size
  static constexpr int kChunks = kHeadDim / 8;    // of 16 bytes, in a row
  static constexpr int kRowBytes = kHeadDim * 2;  // rows lie side by side, their chunks permuted: see Swizzled
  static constexpr int kSlotBytes = kKeys * kRowBytes;
  static constexpr unsigned kSharedBytes = kRows * kRowBytes + kStages * kSlotBytes;
};

// Where chunk `chunk` of row `row` lies: permuted within each 128 bytes, so that the eight rows of a matrix that
// LoadMatrix4 reads lie in different banks. The low three bits of `row` decide (of a row of 192 bytes, bits 1 and 2,
// within each 64 bytes: bit 0 moves it by half the banks).
template <int kChunks>
__device__ __forceinline__ int Swizzled(int row, int chunk) {
  return row * kChunks * 16 + (chunk ^ (kChunks % 8 == 0 ? row & 7 : (row >> 1) & 3)) * 16;
}
// The same `rows` and `chunks` further, for `offset` a Swizzled offset from an aligned place: REQUIRES that neither sum
// carries within the permuted bits. One exclusive or with a constant, where Swizzled anew would cost a register each.
template <int kChunks>
__device__ __forceinline__ int Further(int offset, int rows, int chunks) {
  constexpr int kBits = kChunks % 8 == 0 ? 7 : 3;
  const int permuted = (chunks & kBits) ^ (kChunks % 8 == 0 ? rows & 7 : (rows >> 1) & 3);
  return (offset ^ (permuted * 16)) + (chunks & ~kBits) * 16 + rows * kChunks * 16;
}

// Copies key tiles into the ring. Warp w takes keys 16 w .. 16 w + 15 of each, which lie side by side in one block.
template <class S, bool kFp8>
struct KvCopier {
  using Value = std::conditional_t<kFp8, Fp8, Bf16>;
  static constexpr int kChunksOfLane = 16 * S::kChunks / kWarpLanes;

  // Pointers are made anew from the kernel's arguments at each step: registers are scarcer than instructions.
  const PrefillAttention& a;
  const PrefillShape& shape;
  const QueryTile& tile;
  std::uint32_t block_id;  // of this warp's keys in the next key tile: looked up a tile ahead

  __device__ KvCopier(const PrefillAttention& attention, const PrefillShape& prefill_shape, const QueryTile& query_tile)
      : a(attention), shape(prefill_shape), tile(query_tile) {
    LookUp(0);
  }

  // The block of this warp's keys in a key tile; of keys beyond the context, which are not read, the last one.
  __device__ void LookUp(std::int32_t key_tile) {
    const std::int32_t key = key_tile * S::kKeys + static_cast<int>(threadIdx.x) / kWarpLanes * 16;
    block_id = tile.block_ids[(key < tile.keys ? key : tile.keys - 1) >> shape.block_shift];
  }

  // K of key tile step / 2 where step is even, else V; into `slot`. Keys at and beyond tile.keys become zero: their
  // slots may hold anything, and 0 * NaN would spoil the sum over V.
  __device__ void Copy(std::int32_t step, unsigned char* slot) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpLanes,
              warp_row = static_cast<int>(threadIdx.x) / kWarpLanes * 16;
    const std::int32_t first = step / 2 * S::kKeys + warp_row;
    const std::int64_t slot_row =
        ((std::int64_t{block_id} * a.kv.kv_heads + blockIdx.x) << shape.block_shift) + (first & (a.kv.block_size - 1));
    const Value* in_pool = static_cast<const Value*>(step % 2 == 0 ? a.kv.k : a.kv.v) + slot_row * S::kHeadDim;
    const auto* from = static_cast<const Value*>(KnownRows(in_pool, block_id, a.kv.blocks_total));
#pragma unroll
    for (int i = 0; i < kChunksOfLane; ++i) {
      const int row = (lane + i * kWarpLanes) / S::kChunks, chunk = (lane + i * kWarpLanes) % S::kChunks;
      const int offset =
          kWarpLanes % S::kChunks == 0
              ? Further<S::kChunks>(Swizzled<S::kChunks>(warp_row + lane / S::kChunks, lane % S::kChunks),
                                    i * (kWarpLanes / S::kChunks), 0)
              : Swizzled<S::kChunks>(warp_row + row, chunk);
      unsigned char* to = slot + offset;
      const Value* source = from + row * S::kHeadDim + chunk * 8;
      if constexpr (kFp8) {
        Widen(to, source, first + row < tile.keys);
      } else {
        CopyAsync16(to, source, first + row < tile.keys);
      }
    }
    if (step % 2 == 1) LookUp(step / 2 + 1);
  }

  // Eight FP8 values, exactly.
  __device__ static void Widen(unsigned char* to, const Fp8* from, bool take) {
    const uint2 bytes = take ? *reinterpret_cast<const uint2*>(from) : uint2{0, 0};
    std::uint32_t words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const std::uint32_t two = (i < 2 ? bytes.x : bytes.y) >> (i % 2 * 16);
      words[i] = PackBf16(ToFloat(Fp8{static_cast<std::uint8_t>(two & 0xFFU)}),
                          ToFloat(Fp8{static_cast<std::uint8_t>(two >> 8 & 0xFFU)}));
    }
    *reinterpret_cast<uint4*>(to) = uint4{words[0], words[1], words[2], words[3]};
  }
};

// Starts the copy of the tile's query rows; those beyond the chunk become zero.
template <class S>
__device__ __forceinline__ void CopyQueries(const PrefillAttention& a, const QueryTile& tile, std::int32_t group,
                                            std::int32_t kv_head, unsigned char* queries) {
  for (int i = static_cast<int>(threadIdx.x); i < S::kRows * S::kChunks; i += S::kThreads) {
    const int row = i / S::kChunks, chunk = i % S::kChunks;
    const bool take = tile.first + row < tile.packed_rows;
    const std::int32_t packed = take ? tile.first + row : tile.first;
    const std::int64_t token = tile.first_row + packed / group, head = kv_head * group + packed % group;
    CopyAsync16(queries + Swizzled<S::kChunks>(row, chunk), a.q + token * a.q_stride + head * S::kHeadDim + chunk * 8,
                take);
  }
}

// One warp's rows: fragments of its queries, scores and output.
template <class S>
struct WarpRows {
  static constexpr int kDepth = S::kHeadDim / 16;  // products that a score is made of

  int queries;  // offset of this lane's first row of queries in shared memory
  std::uint32_t q[S::kQInRegisters ? kDepth : 1][S::kRowTiles][4];
  float scores[S::kRowTiles][S::kKeys / 8][4];
  float out[S::kRowTiles][S::kHeadDim / 8][4];
  RowPairSoftmax softmax[S::kRowTiles];

  // Offsets in dynamic shared memory of the row that lane l names to LoadMatrix4: row l % 16 and chunk l / 16 of the
  // rows at `begin` (fragments of A, and of B from transposed rows), or row l % 8 + l / 16 * 8 and chunk l / 8 % 2
  // (fragments of B from rows that are its columns).
  static __device__ __forceinline__ int Lane(int begin) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
    return begin + Swizzled<S::kChunks>(lane % 16, lane / 16);
  }
  static __device__ __forceinline__ int LaneOfColumns(int begin) {
    const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
    return begin + Swizzled<S::kChunks>(lane % 8 + lane / 16 * 8, lane / 8 % 2);
  }
  static __device__ __forceinline__ const unsigned char* At(int lane, int rows, int chunks) {
    return DynamicShared() + Further<S::kChunks>(lane, rows, chunks);
  }

  __device__ __forceinline__ void Start(int begin) {
    queries = Lane(begin);
#pragma unroll
    for (int m = 0; m < S::kRowTiles; ++m) {
#pragma unroll
      for (int n = 0; n < S::kHeadDim / 8; ++n) out[m][n][0] = out[m][n][1] = out[m][n][2] = out[m][n][3] = 0.0F;
    }
  }
  __device__ __forceinline__ void LoadQueries() {
    if constexpr (S::kQInRegisters) {
#pragma unroll
      for (int depth = 0; depth < kDepth; ++depth) {
#pragma unroll
        for (int m = 0; m < S::kRowTiles; ++m) LoadMatrix4(q[depth][m], At(queries, m * 16, depth * 2));
      }
    }
  }

  // scores = queries * keys^T.
  __device__ __forceinline__ void Score(int keys) {
    const int keys_lane = LaneOfColumns(keys);
#pragma unroll
    for (int m = 0; m < S::kRowTiles; ++m) {
#pragma unroll
      for (int n = 0; n < S::kKeys / 8; ++n)
        scores[m][n][0] = scores[m][n][1] = scores[m][n][2] = scores[m][n][3] = 0.0F;
    }
#pragma unroll
    for (int depth = 0; depth < kDepth; ++depth) {
      constexpr bool kHeld = S::kQInRegisters;
      if constexpr (!kHeld) {
#pragma unroll
        for (int m = 0; m < S::kRowTiles; ++m) LoadMatrix4(q[0][m], At(queries, m * 16, depth * 2));
      }
#pragma unroll
      for (int n = 0; n < S::kKeys / 16; ++n) {
        std::uint32_t b[4];
        LoadMatrix4(b, At(keys_lane, n * 16, depth * 2));
#pragma unroll
        for (int m = 0; m < S::kRowTiles; ++m) {
          MmaBf16(scores[m][2 * n], q[kHeld ? depth : 0][m], {b[0], b[1]});
          MmaBf16(scores[m][2 * n + 1], q[kHeld ? depth : 0][m], {b[2], b[3]});
        }
      }
    }
  }

  __device__ __forceinline__ void Weigh(float scale_log2) {
#pragma unroll
    for (int m = 0; m < S::kRowTiles; ++m) {
      float factor[2];
      softmax[m].Update(scores[m], scale_log2, factor);
      if (__any_sync(kAllLanes, factor[0] != 1.0F || factor[1] != 1.0F)) ScaleRows(out[m], factor);
    }
  }

  // out += weights * values; the weights, rounded to BF16, are fragments of A as they lie.
  __device__ __forceinline__ void Accumulate(int values) {
    const int values_lane = Lane(values);
#pragma unroll
    for (int depth = 0; depth < S::kKeys / 16; ++depth) {
      std::uint32_t weights[S::kRowTiles][4];
#pragma unroll
      for (int m = 0; m < S::kRowTiles; ++m) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float(&pairs)[4] = scores[m][2 * depth + i / 2];
          weights[m][i] = PackBf16(pairs[i % 2 * 2], pairs[i % 2 * 2 + 1]);
        }
      }
#pragma unroll
      for (int n = 0; n < S::kHeadDim / 16; ++n) {
        std::uint32_t b[4];
        LoadMatrix4Transposed(b, At(values_lane, depth * 16, n * 2));
#pragma unroll
        for (int m = 0; m < S::kRowTiles; ++m) {
          MmaBf16(out[m][2 * n], weights[m], {b[0], b[1]});
          MmaBf16(out[m][2 * n + 1], weights[m], {b[2], b[3]});
        }
      }
    }
  }
};

// Grid: (kv_heads, tiles, sequences). The last tiles, which have the most keys, start first, so that the card does not
// end with a few long blocks.
template <class S, bool kFp8>
__global__ void __launch_bounds__(S::kThreads) PrefillKernel(const PrefillAttention a, const PrefillShape shape) {
  const auto kv_head = static_cast<std::int32_t>(blockIdx.x);
  const QueryTile tile = FindTile(a, shape.group, static_cast<std::int32_t>(blockIdx.z),
                                  shape.tiles - 1 - static_cast<std::int32_t>(blockIdx.y), S::kRows);
  if (tile.empty()) return;

  constexpr int kRing = S::kRows * S::kRowBytes;  // behind the queries
  KvCopier<S, kFp8> copier(a, shape, tile);
  const std::int32_t key_tiles = (tile.keys + S::kKeys - 1) / S::kKeys;
  CopyQueries<S>(a, tile, shape.group, kv_head, DynamicShared());
  std::int32_t copied = 0;  // steps: K and V of a key tile are one each
  int free_slot = 0;
  // One group a step, also where nothing is left to copy, so that the wait below counts steps.
  const auto copy_next = [&] {
    if (copied < 2 * key_tiles) copier.Copy(copied, DynamicShared() + kRing + free_slot * S::kSlotBytes);
    CopyAsyncCommit();
    ++copied;
    free_slot = free_slot + 1 < S::kStages ? free_slot + 1 : 0;
  };
  int full_slot = -1;
  // Waits for the next step's copy. After the barrier every warp has done with the slot before it, which is filled
  // again.
  const auto next_slot = [&] {
    CopyAsyncWait<S::kStages - 2>();
    __syncthreads();
    copy_next();
    full_slot = full_slot + 1 < S::kStages ? full_slot + 1 : 0;
    return kRing + full_slot * S::kSlotBytes;
  };
  for (int i = 0; i < S::kStages - 1; ++i) copy_next();

  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const int warp_row = static_cast<int>(threadIdx.x) / kWarpLanes * S::kRowTiles * 16;
  WarpRows<S> rows;
  rows.Start(warp_row * S::kRowBytes);
  for (std::int32_t key_tile = 0; key_tile < key_tiles; ++key_tile) {
    const int keys = next_slot();
    if (key_tile == 0) rows.LoadQueries();
    rows.Score(keys);
    if ((key_tile + 1) * S::kKeys > tile.keys_of_all) {
#pragma unroll
      for (int m = 0; m < S::kRowTiles; ++m) {
        const std::int32_t row = warp_row + m * 16 + lane / 4;
        MaskScores(rows.scores[m], key_tile * S::kKeys + lane % 4 * 2,
                   {tile.LastKey(row, shape.group), tile.LastKey(row + 8, shape.group)});
      }
    }
    rows.Weigh(shape.scale_log2);
    rows.Accumulate(next_slot());
  }
#pragma unroll
  for (int m = 0; m < S::kRowTiles; ++m) {
    StoreRows(rows.out[m], rows.softmax[m], tile, a, shape.group, kv_head, warp_row + m * 16 + lane / 4);
  }
}

template <class S>
LaunchResult RunShape(const PrefillAttention& a, Stream stream) {
  const PrefillShape shape = PrefillShapeOf(a, S::kRows);
  GPU_REQUIRE(shape.tiles <= 65535);  // of the grid's second dimension
  LaunchShape launch{};
  launch.grid = dim3(static_cast<unsigned>(a.kv.kv_heads), static_cast<unsigned>(shape.tiles),
                     static_cast<unsigned>(a.rows.sequences));
  launch.block = dim3(S::kThreads);
  static_assert(S::kSharedBytes <= 99U << 10, "every card of compute capability 8.0 and newer has it for a block");
  launch.shared_bytes = S::kSharedBytes;
  if (a.kv.format == KvFormat::kFp8) return Launch(PrefillKernel<S, true>, launch, stream, a, shape);
  return Launch(PrefillKernel<S, false>, launch, stream, a, shape);
}

LaunchResult RunWarpMma(const PrefillAttention& a, Stream stream) {
  switch (a.kv.head_dim) {
    case 64:
      return RunShape<Shape<64, 2, 3, true>>(a, stream);
    case 96:
      return RunShape<Shape<96, 2, 3, false>>(a, stream);
    case 128:
      return RunShape<Shape<128, 2, 3, false>>(a, stream);
    default:
      return RunShape<Shape<256, 1, 2, false>>(a, stream);
  }
}

LaunchResult CheckShape(const PrefillAttention& a) {
  const PagedKv& kv = a.kv;
  GPU_RETURN_IF_ERROR(CheckPagedKv(kv));
  GPU_REQUIRE(a.heads > 0);
  GPU_REQUIRE(a.heads % kv.kv_heads == 0);
  GPU_REQUIRE(std::int64_t{a.q_stride} >= std::int64_t{a.heads} * kv.head_dim);
  GPU_REQUIRE(a.q_stride % 8 == 0);  // rows are read 16 bytes at a time
  GPU_REQUIRE(a.scale > 0.0F);
  GPU_REQUIRE(a.rows.rows >= 0);
  GPU_REQUIRE(a.rows.sequences >= 0);
  GPU_REQUIRE(a.chunk_max >= 0);
  GPU_REQUIRE(a.rows.sequences <= 65535);  // of the grid's third dimension
  GPU_REQUIRE(std::int64_t{a.chunk_max} * (a.heads / kv.kv_heads) < std::int64_t{1} << 30);
  return LaunchResult::Ok();
}

LaunchResult CheckMemory(const PrefillAttention& a) {
  GPU_REQUIRE(a.q != nullptr && Aligned(a.q, 16) && a.y != nullptr && Aligned(a.y, 4));
  GPU_REQUIRE(a.rows.row_begin != nullptr && Aligned(a.rows.row_begin, 4));
  return CheckPagedKvMemory(a.kv, a.rows.positions, a.rows.block_begin, a.rows.block_ids);
}

}  // namespace

LaunchResult RunPrefillAttention(const PrefillAttention& attention, Stream stream) {
  GPU_RETURN_IF_ERROR(CheckShape(attention));
  if (attention.rows.rows == 0 || attention.rows.sequences == 0 || attention.chunk_max == 0) return LaunchResult::Ok();
  GPU_RETURN_IF_ERROR(CheckMemory(attention));
  PrefillVariant variant = attention.variant;
  if (variant == PrefillVariant::kBest) variant = HopperPrefillRuns(attention) ? kBestOnHopper : PrefillVariant::kWarp;
  if (variant == PrefillVariant::kWarp) return RunWarpMma(attention, stream);
  GPU_REQUIRE(HopperPrefillRuns(attention));
  return RunHopperPrefill(attention, /*ping_pong=*/variant == PrefillVariant::kWarpgroupPingPong, stream);
}

}  // namespace kernels::gpu
