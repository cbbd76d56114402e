#include "kernels/attention/prefill_attention_hopper.h"

#include <algorithm>
#include <type_traits>

#include "kernels/attention/prefill_tile.h"
#include "kernels/kvcache/unknown_block.h"
#include "kernels/primitives/gpu/async_copy.h"
#include "kernels/primitives/gpu/current_card.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/mbarrier.h"
#include "kernels/primitives/gpu/wgmma.h"

// Compiled for other cards the kernel is empty, and what it is made of is unused.
#if defined(__CUDACC__)
#pragma nv_diag_suppress 177
#endif

namespace kernels::gpu {

namespace {

constexpr int kWarpgroup = 128;  // threads

// After FlashAttention-3 (Shah et al. 2024). Blocks stay on their multiprocessor and take one tile after another. One
// warpgroup copies; the others compute 64 packed query rows each. Within a warpgroup the scores of the next key tile
// are on the tensor cores while the softmax of this one runs; with kPingPong the warpgroups besides take turns there.
//
// The copies are cp.async, not TMA: a paged cache has runs of 16 keys, which cp.async lays out swizzled from any
// address.
template <int kHeadDim_, bool kPingPong_>
struct HopperShape {
  static constexpr int kHeadDim = kHeadDim_;
  static constexpr bool kPingPong = kPingPong_;
  static constexpr int kKeys = 128;
  static constexpr int kStages = 2;
  static constexpr int kComputing = 2;  // warpgroups
  static constexpr int kRows = kComputing * 64;
  static constexpr int kThreads = (kComputing + 1) * kWarpgroup;
  static constexpr int kChunks = kHeadDim / 8;  // of 16 bytes, in a row
  // Of 65,536 registers the block has 168 a thread at its start; what the copying warpgroup gives back, the others
  // take.
  static constexpr int kCopyRegisters = 56, kComputeRegisters = 224;

  // Shared memory, in bytes. A matrix lies as arrays of 64 columns each (primitives/gpu/wgmma.h).
  static constexpr int kQueryArray = kRows * 128, kKeyArray = kKeys * 128;
  static constexpr int kSlot = kHeadDim / 64 * kKeyArray;
  static constexpr int kKeySlots = kHeadDim / 64 * kQueryArray, kValueSlots = kKeySlots + kStages * kSlot;
  static constexpr int kBarriers = kValueSlots + kStages * kSlot;
};

template <int kStages>
struct HopperBarriers {
  Mbarrier queries_full, queries_empty;
  Mbarrier keys_full[kStages], keys_empty[kStages];
  Mbarrier values_full[kStages], values_empty[kStages];
  Mbarrier turn[2];
};

template <class S>
constexpr unsigned HopperSharedBytes() {
  return S::kBarriers + sizeof(HopperBarriers<S::kStages>);
}

template <class S>
__device__ __forceinline__ HopperBarriers<S::kStages>* BarriersOf() {
  return reinterpret_cast<HopperBarriers<S::kStages>*>(DynamicShared() + S::kBarriers);
}

// Where a role stands in the ring of slots. The waiter for a full slot begins with parity 0, the waiter for an empty
// one with parity 1: all are empty at the start.
template <int kStages>
struct RingPlace {
  int slot = 0;
  unsigned parity;

  __device__ __forceinline__ void Advance() {
    slot = slot + 1 < kStages ? slot + 1 : 0;
    parity ^= slot == 0 ? 1U : 0U;
  }
};

// The tiles of one block: the same for each of its warpgroups. Tiles are dealt from the one with the most keys down, in
// turns that go forth and back, so that blocks end at about the same time.
struct TileDealer {
  const PrefillAttention& a;
  const PrefillShape& shape;
  std::int32_t turn = 0;
  std::int32_t kv_head = 0;
  QueryTile tile{};

  __device__ bool Next(std::int32_t tile_rows) {
    const std::int32_t items = shape.tiles * a.kv.kv_heads * a.rows.sequences;
    const auto blocks = static_cast<std::int32_t>(gridDim.x), block = static_cast<std::int32_t>(blockIdx.x);
    for (; turn * blocks < items; ++turn) {
      const std::int32_t item = turn * blocks + (turn % 2 == 0 ? block : blocks - 1 - block);
      if (item >= items) continue;
      kv_head = item % a.kv.kv_heads;
      const std::int32_t rest = item / a.kv.kv_heads;
      tile = FindTile(a, shape.group, rest % a.rows.sequences, shape.tiles - 1 - rest / a.rows.sequences, tile_rows);
      if (tile.empty()) continue;
      ++turn;
      return true;
    }
    return false;
  }
};

// The copying warpgroup. A slot is announced one copy late, so that two copies are under way at a time; before a wait
// for an empty slot all are announced.
template <class S>
struct Copier {
  HopperBarriers<S::kStages>* barriers = BarriersOf<S>();
  Mbarrier* unannounced = nullptr;
  RingPlace<S::kStages> keys{.parity = 1}, values{.parity = 1};
  unsigned queries_parity = 1;

  template <int kUnfinished>
  __device__ __forceinline__ void Announce() {
    if (unannounced == nullptr) return;
    CopyAsyncWait<kUnfinished>();
    FenceAsyncProxy();
    MbarrierArrive(unannounced);
    unannounced = nullptr;
  }
  __device__ __forceinline__ void WaitEmpty(Mbarrier* empty, unsigned parity) {
    if (MbarrierTryWait(empty, parity)) return;
    Announce<0>();
    MbarrierWait(empty, parity);
  }
  __device__ __forceinline__ void Commit(Mbarrier* full) {
    CopyAsyncCommit();
    Announce<1>();
    unannounced = full;
  }

  __device__ __forceinline__ void CopyQueries(const PrefillAttention& a, const QueryTile& tile, std::int32_t group,
                                              std::int32_t kv_head) {
    WaitEmpty(&barriers->queries_empty, queries_parity);
    queries_parity ^= 1U;
    for (int i = static_cast<int>(threadIdx.x); i < S::kRows * S::kChunks; i += kWarpgroup) {
      const int row = i / S::kChunks, chunk = i % S::kChunks;
      const bool take = tile.first + row < tile.packed_rows;
      const std::int32_t packed = take ? tile.first + row : tile.first;
      const std::int64_t token = tile.first_row + packed / group, head = kv_head * group + packed % group;
      CopyAsync16(DynamicShared() + chunk / 8 * S::kQueryArray + Swizzled128(row, chunk % 8),
                  a.q + token * a.q_stride + head * S::kHeadDim + chunk * 8, take);
    }
    Commit(&barriers->queries_full);
  }

  // The blocks of this warp's runs of 16 keys, w and w + 4 of a key tile; of keys beyond the context, the last one.
  static constexpr int kRuns = S::kKeys / 64;
  __device__ __forceinline__ void LookUp(std::uint32_t (&blocks)[kRuns], const PrefillShape& shape,
                                         const QueryTile& tile, std::int32_t key_tile) {
#pragma unroll
    for (int run = 0; run < kRuns; ++run) {
      const std::int32_t key = key_tile * S::kKeys + run * 64 + static_cast<int>(threadIdx.x) / kWarpLanes * 16;
      blocks[run] = tile.block_ids[(key < tile.keys ? key : tile.keys - 1) >> shape.block_shift];
    }
  }

  // One key tile of K or V into a slot. Keys at and beyond tile.keys become zero: their slots in the cache may hold
  // anything, and 0 * NaN would spoil the sum over V.
  __device__ __forceinline__ void CopyTile(const void* plane, const std::uint32_t (&blocks)[kRuns],
                                           const PrefillAttention& a, const PrefillShape& shape, const QueryTile& tile,
                                           std::int32_t kv_head, std::int32_t key_tile, unsigned char* slot) {
    constexpr int kRowsAtOnce = kWarpLanes / S::kChunks;  // rows that a warp copies with one instruction
    const int lane = static_cast<int>(threadIdx.x) % kWarpLanes, warp = static_cast<int>(threadIdx.x) / kWarpLanes;
    const int lane_row = lane / S::kChunks, chunk = lane % S::kChunks;
    unsigned char* array = slot + chunk / 8 * S::kKeyArray;
#pragma unroll
    for (int run = 0; run < kRuns; ++run) {
      const int first = run * 64 + warp * 16 + lane_row;  // row of the tile
      const std::int32_t key = key_tile * S::kKeys + first;
      const std::int64_t cache_row =
          ((std::int64_t{blocks[run]} * a.kv.kv_heads + kv_head) << shape.block_shift) + (key & (a.kv.block_size - 1));
      const Bf16* in_pool = static_cast<const Bf16*>(plane) + (cache_row - lane_row) * S::kHeadDim;
      const Bf16* from = static_cast<const Bf16*>(KnownRows(in_pool, blocks[run], a.kv.blocks_total)) +
                         lane_row * S::kHeadDim + chunk * 8;
#pragma unroll
      for (int i = 0; i < 16 / kRowsAtOnce; ++i) {
        CopyAsync16(array + Swizzled128(first + i * kRowsAtOnce, chunk % 8), from + i * kRowsAtOnce * S::kHeadDim,
                    key + i * kRowsAtOnce < tile.keys);
      }
    }
  }

  __device__ __forceinline__ void Run(const PrefillAttention& a, const PrefillShape& shape) {
    TileDealer dealer{a, shape};
    while (dealer.Next(S::kRows)) {
      const QueryTile& tile = dealer.tile;
      std::uint32_t blocks[kRuns];
      LookUp(blocks, shape, tile, 0);
      CopyQueries(a, tile, shape.group, dealer.kv_head);
      for (std::int32_t key_tile = 0; key_tile * S::kKeys < tile.keys; ++key_tile) {
        WaitEmpty(&barriers->keys_empty[keys.slot], keys.parity);
        CopyTile(a.kv.k, blocks, a, shape, tile, dealer.kv_head, key_tile,
                 DynamicShared() + S::kKeySlots + keys.slot * S::kSlot);
        Commit(&barriers->keys_full[keys.slot]);
        keys.Advance();
        WaitEmpty(&barriers->values_empty[values.slot], values.parity);
        CopyTile(a.kv.v, blocks, a, shape, tile, dealer.kv_head, key_tile,
                 DynamicShared() + S::kValueSlots + values.slot * S::kSlot);
        LookUp(blocks, shape, tile, key_tile + 1);
        Commit(&barriers->values_full[values.slot]);
        values.Advance();
      }
    }
    Announce<0>();
  }
};

// A computing warpgroup.
template <class S>
struct Computer {
  static constexpr int kDepth = S::kHeadDim / 16;  // products that a score is made of

  HopperBarriers<S::kStages>* barriers = BarriersOf<S>();
  int warpgroup;  // 0 or 1
  std::uint64_t queries, keys_matrix, values_matrix;
  RingPlace<S::kStages> keys{.parity = 0}, values{.parity = 0};
  unsigned queries_parity = 0, turn_parity = 0;
  float scores[S::kKeys / 8][4];
  std::uint32_t weights[S::kKeys / 16][4];
  float out[S::kHeadDim / 8][4];
  RowPairSoftmax softmax;

  __device__ __forceinline__ explicit Computer(int number) : warpgroup(number) {
    queries = WgmmaMatrix(DynamicShared() + number * 64 * 128);
    keys_matrix = WgmmaMatrix(DynamicShared() + S::kKeySlots);
    values_matrix = WgmmaMatrix(DynamicShared() + S::kValueSlots, S::kKeyArray);
  }

  // One arrival a warp: its lanes have waited for the products together.
  __device__ __forceinline__ void Release(Mbarrier* empty) {
    if (threadIdx.x % kWarpLanes == 0) MbarrierArrive(empty);
  }

  // Starts scores = queries * keys^T.
  __device__ __forceinline__ void StartScores() {
    const std::uint64_t slot = WgmmaMatrixAt(keys_matrix, keys.slot * S::kSlot);
#pragma unroll
    for (int depth = 0; depth < kDepth; ++depth) {
      const int array = depth / 4, column = depth % 4 * 32;  // bytes
      WgmmaBf16(scores, WgmmaMatrixAt(queries, array * S::kQueryArray + column),
                WgmmaMatrixAt(slot, array * S::kKeyArray + column), depth != 0);
    }
    WgmmaCommit();
  }
  // Starts out += weights * values.
  __device__ __forceinline__ void StartOut() {
    const std::uint64_t slot = WgmmaMatrixAt(values_matrix, values.slot * S::kSlot);
#pragma unroll
    for (int depth = 0; depth < S::kKeys / 16; ++depth) {
      WgmmaBf16(out, weights[depth], WgmmaMatrixAt(slot, depth * 16 * 128));
    }
    WgmmaCommit();
  }
  __device__ __forceinline__ void ReleaseKeys() {
    Release(&barriers->keys_empty[keys.slot]);
    keys.Advance();
  }
  __device__ __forceinline__ void ReleaseValues() {
    Release(&barriers->values_empty[values.slot]);
    values.Advance();
  }

  // Scores to weights, the latter still in `scores`.
  __device__ __forceinline__ void Weigh(const QueryTile& tile, const PrefillShape& shape, std::int32_t key_tile,
                                        float (&factor)[2]) {
    if ((key_tile + 1) * S::kKeys > tile.keys_of_all) {
      MaskScores(scores, key_tile * S::kKeys + static_cast<int>(threadIdx.x) % 4 * 2,
                 {tile.LastKey(Row(), shape.group), tile.LastKey(Row() + 8, shape.group)});
    }
    softmax.Update(scores, shape.scale_log2, factor);
  }
  // This lane's upper row in the tile.
  __device__ __forceinline__ int Row() const {
    const int thread = static_cast<int>(threadIdx.x) % kWarpgroup;
    return warpgroup * 64 + thread / kWarpLanes * 16 + thread % kWarpLanes / 4;
  }
  // The weights, rounded, are fragments of A as they lie.
  __device__ __forceinline__ void RoundWeights() {
#pragma unroll
    for (int depth = 0; depth < S::kKeys / 16; ++depth) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float(&pairs)[4] = scores[2 * depth + i / 2];
        weights[depth][i] = PackBf16(pairs[i % 2 * 2], pairs[i % 2 * 2 + 1]);
      }
    }
  }

  __device__ __forceinline__ void RunTile(const QueryTile& tile, const PrefillShape& shape) {
    const std::int32_t key_tiles = (tile.keys + S::kKeys - 1) / S::kKeys;
    float factor[2];
    softmax = {};
    MbarrierWait(&barriers->queries_full, queries_parity);
    queries_parity ^= 1U;
    MbarrierWait(&barriers->keys_full[keys.slot], keys.parity);
    WgmmaFence();
    StartScores();
#pragma unroll
    for (int n = 0; n < S::kHeadDim / 8; ++n) out[n][0] = out[n][1] = out[n][2] = out[n][3] = 0.0F;
    WgmmaWait<0>();
    WgmmaPin(scores);
    ReleaseKeys();
    Weigh(tile, shape, 0, factor);
    RoundWeights();
    for (std::int32_t key_tile = 1; key_tile < key_tiles; ++key_tile) {
      MbarrierWait(&barriers->keys_full[keys.slot], keys.parity);
      if constexpr (S::kPingPong) MbarrierWait(&barriers->turn[warpgroup], turn_parity);
      turn_parity ^= 1U;
      WgmmaPin(scores);
      WgmmaPin(out);
      WgmmaFence();
      StartScores();
      MbarrierWait(&barriers->values_full[values.slot], values.parity);
      WgmmaFence();
      StartOut();
      if constexpr (S::kPingPong) Release(&barriers->turn[1 - warpgroup]);
      WgmmaWait<1>();
      WgmmaPin(scores);
      ReleaseKeys();
      Weigh(tile, shape, key_tile, factor);
      WgmmaHoldWait(softmax.sum[0] + softmax.sum[1]);
      WgmmaWait<0>();
      WgmmaPin(out);
      ReleaseValues();
      if (__any_sync(kAllLanes, factor[0] != 1.0F || factor[1] != 1.0F)) ScaleRows(out, factor);
      RoundWeights();
    }
    Release(&barriers->queries_empty);
    MbarrierWait(&barriers->values_full[values.slot], values.parity);
    WgmmaPin(out);
    WgmmaFence();
    StartOut();
    WgmmaWait<0>();
    WgmmaPin(out);
    ReleaseValues();
  }

  __device__ __forceinline__ void Run(const PrefillAttention& a, const PrefillShape& shape) {
    if (S::kPingPong && warpgroup == 1) Release(&barriers->turn[0]);
    TileDealer dealer{a, shape};
    while (dealer.Next(S::kRows)) {
      RunTile(dealer.tile, shape);
      StoreRows(out, softmax, dealer.tile, a, shape.group, dealer.kv_head, Row());
    }
  }
};

template <class S>
__global__ void __launch_bounds__(S::kThreads, 1)
    HopperPrefillKernel(const PrefillAttention a, const PrefillShape shape) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL) || defined(GPU_EMULATOR)
  if (threadIdx.x == 0) {
    constexpr unsigned kComputingWarps = S::kComputing * 4;
    HopperBarriers<S::kStages>* barriers = BarriersOf<S>();
    MbarrierInit(&barriers->queries_full, kWarpgroup);
    MbarrierInit(&barriers->queries_empty, kComputingWarps);
    for (int slot = 0; slot < S::kStages; ++slot) {
      MbarrierInit(&barriers->keys_full[slot], kWarpgroup);
      MbarrierInit(&barriers->keys_empty[slot], kComputingWarps);
      MbarrierInit(&barriers->values_full[slot], kWarpgroup);
      MbarrierInit(&barriers->values_empty[slot], kComputingWarps);
    }
    for (Mbarrier& turn : barriers->turn) MbarrierInit(&turn, 4);
  }
  __syncthreads();
  if (threadIdx.x < kWarpgroup) {
    LowerRegisters<S::kCopyRegisters>();
    Copier<S>().Run(a, shape);
  } else {
    RaiseRegisters<S::kComputeRegisters>();
    Computer<S>(static_cast<int>(threadIdx.x) / kWarpgroup - 1).Run(a, shape);
  }
#else
  static_cast<void>(a);  // never launched: HopperPrefillRuns
  static_cast<void>(shape);
#endif
}

template <class S>
LaunchResult RunShape(const PrefillAttention& a, Stream stream) {
  const PrefillShape shape = PrefillShapeOf(a, S::kRows);
  const std::int64_t items = std::int64_t{shape.tiles} * a.kv.kv_heads * a.rows.sequences;
  GPU_REQUIRE(items < std::int64_t{1} << 30);
  const std::int64_t multiprocessors = FindCurrentCard().multiprocessors;
  LaunchShape launch{};
  launch.grid = dim3(static_cast<unsigned>(std::min(items, multiprocessors)));
  launch.block = dim3(S::kThreads);
  launch.shared_bytes = HopperSharedBytes<S>();
  return Launch(HopperPrefillKernel<S>, launch, stream, a, shape);
}

}  // namespace

bool HopperPrefillRuns(const PrefillAttention& attention) {
  const std::int32_t head_dim = attention.kv.head_dim;
  if (attention.kv.format != KvFormat::kBf16 || (head_dim != 64 && head_dim != 128)) return false;
  const CurrentCard card = FindCurrentCard();
  const unsigned bytes =
      head_dim == 64 ? HopperSharedBytes<HopperShape<64, true>>() : HopperSharedBytes<HopperShape<128, true>>();
  return card.capability == 90 && card.shared_bytes_max >= static_cast<int>(bytes);
}

LaunchResult RunHopperPrefill(const PrefillAttention& attention, bool ping_pong, Stream stream) {
  if (attention.kv.head_dim == 64) {
    return ping_pong ? RunShape<HopperShape<64, true>>(attention, stream)
                     : RunShape<HopperShape<64, false>>(attention, stream);
  }
  return ping_pong ? RunShape<HopperShape<128, true>>(attention, stream)
                   : RunShape<HopperShape<128, false>>(attention, stream);
}

}  // namespace kernels::gpu
