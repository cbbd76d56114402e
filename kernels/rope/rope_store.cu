#include "kernels/rope/rope_store_gpu.h"

#include "kernels/kvcache/check_paged_kv.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/rows.h"

namespace kernels::gpu {
namespace {

constexpr int kChunk = 8;  // values: 16 bytes of qkv, four pairs
constexpr int kThreadsMax = 256;
constexpr int kHeadsMax = 16384;  // of Q, K and V; offsets within a row and a block stay within 32 bits

// What multiplies the values of a chunk and what multiplies their neighbours (rope/rope.h), the same in every head. The
// table has each cosine and each sine twice; both copies are used, so that they are loaded 16 bytes at a time.
struct Angles {
  float4 own[2], neighbour[2];
};
__device__ __forceinline__ Angles LoadAngles(const RopeStore& rope, int position, int chunk) {
  const int head_dim = rope.kv.head_dim;
  const float* row = rope.table + std::int64_t{position} * 2 * head_dim + chunk * kChunk;
  const auto* own = reinterpret_cast<const float4*>(row);
  const auto* neighbour = reinterpret_cast<const float4*>(row + head_dim);
  return {{__ldg(own), __ldg(own + 1)}, {__ldg(neighbour), __ldg(neighbour + 1)}};
}

// What the rows' arrays say about one row. A position outside the table or a block outside the pool is a fault of the
// caller; passing over it costs nothing and spares other memory.
struct Place {
  bool known;         // the position is in the table
  std::int64_t slot;  // of the first head's values in the pool, in values; negative: nowhere
  Angles angles;
};
// The angles come before the block: both wait for the position, the block for one more array.
__device__ __forceinline__ Place FindPlace(const RopeStore& rope, int row, int chunk) {
  const PagedKv& kv = rope.kv;
  const int position = rope.rows.positions[row], sequence = rope.sequence_of_row[row];
  Place place;
  place.known = position >= 0 && position < rope.table_positions;
  const int read = place.known ? position : 0;  // no branch: the arrays' loads shall not wait for the table's
  place.angles = LoadAngles(rope, read, chunk);
  const std::uint32_t block = rope.rows.block_ids[rope.rows.block_begin[sequence] + read / kv.block_size];
  const std::int64_t first_slot = std::int64_t{block} * kv.kv_heads * kv.block_size;
  place.slot =
      block < static_cast<std::uint32_t>(kv.blocks_total) ? (first_slot + read % kv.block_size) * kv.head_dim : -1;
  return place;
}

__device__ __forceinline__ void RotatePair(float& even, float& odd, float own_even, float own_odd, float neighbour_even,
                                           float neighbour_odd) {
  const float rotated = even * own_even + odd * neighbour_even;
  odd = odd * own_odd + even * neighbour_odd;
  even = rotated;
}
__device__ __forceinline__ void Rotate(float (&values)[kChunk], const Angles& angles) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float4 own = angles.own[i], neighbour = angles.neighbour[i];
    RotatePair(values[4 * i], values[4 * i + 1], own.x, own.y, neighbour.x, neighbour.y);
    RotatePair(values[4 * i + 2], values[4 * i + 3], own.z, own.w, neighbour.z, neighbour.w);
  }
}

__device__ __forceinline__ void LoadChunk(const float* vector, int chunk, float (&values)[kChunk]) {
  const auto* from = reinterpret_cast<const float4*>(vector + chunk * kChunk);
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float4 loaded = __ldg(from + i);
    values[4 * i] = loaded.x, values[4 * i + 1] = loaded.y, values[4 * i + 2] = loaded.z, values[4 * i + 3] = loaded.w;
  }
}

// All threads of a head call it: they are a warp or a part of one, and their other lanes may be elsewhere.
__device__ __forceinline__ void Prepare(float (&values)[kChunk], const RopeStore& rope, int head, int chunk) {
  const HeadsBeforeRope& before = rope.before;
  const int head_dim = rope.kv.head_dim;
  float own[kChunk];
  if (before.bias != nullptr) {
    LoadChunk(before.bias + head * head_dim, chunk, own);
#pragma unroll
    for (int i = 0; i < kChunk; ++i) values[i] += own[i];
  }
  if (before.q_norm == nullptr || head >= rope.heads + rope.kv.kv_heads) return;
  const unsigned lanes = blockDim.x, lane = (threadIdx.x + lanes * threadIdx.y) % kWarpLanes;
  const unsigned mask = (lanes == kWarpLanes ? kAllLanes : (1U << lanes) - 1U) << lane / lanes * lanes;
  float squares = 0.0F;
#pragma unroll
  for (int i = 0; i < kChunk; ++i) squares += values[i] * values[i];
  for (unsigned offset = lanes / 2; offset > 0; offset /= 2) {
    squares += __shfl_xor_sync(mask, squares, static_cast<int>(offset));
  }
  const float factor = 1.0F / sqrtf(squares / static_cast<float>(head_dim) + before.eps);
  LoadChunk(head < rope.heads ? before.q_norm : before.k_norm, chunk, own);
#pragma unroll
  for (int i = 0; i < kChunk; ++i) values[i] *= factor * own[i];
}

template <bool kFp8>
__device__ __forceinline__ void StoreKv(void* pool, std::int64_t index, const float (&values)[kChunk], float inverse) {
  if constexpr (kFp8) {
    // Rounding would clip infinity to the largest number: infinity * 0 makes it NaN and leaves the others alone.
    float finite[kChunk];
#pragma unroll
    for (int i = 0; i < kChunk; ++i) finite[i] = fmaf(values[i], 0.0F, values[i]);
    *reinterpret_cast<uint2*>(static_cast<Fp8*>(pool) + index) = PackFp8(finite, inverse);
  } else {
    *reinterpret_cast<uint4*>(static_cast<Bf16*>(pool) + index) = PackBf16(values);
  }
}

// One row a block; block (head_dim / 8, heads of a pass). A thread has one chunk of every blockDim.y-th head, so its
// angles serve all of its heads, and the loads of kHeads heads are under way at once. Heads count on through Q, K and
// V.
template <int kHeads, bool kFp8, bool kPrepares>
__global__ void __launch_bounds__(kThreadsMax) RopeStoreKernel(RopeStore rope, float k_inverse, float v_inverse) {
  const PagedKv& kv = rope.kv;
  const int row = static_cast<int>(blockIdx.x), chunk = static_cast<int>(threadIdx.x);
  const int heads_of_pass = static_cast<int>(blockDim.y), head_dim = kv.head_dim;
  const int rotated_heads = rope.heads + kv.kv_heads, heads = rotated_heads + kv.kv_heads;
  LetNextKernelStart();
  Place place{};
  if (rope.rows_settled) place = FindPlace(rope, row, chunk);
  WaitForPreviousKernel();

  Bf16* qkv = rope.qkv + std::int64_t{row} * heads * head_dim + chunk * kChunk;
  for (int begin = static_cast<int>(threadIdx.y); begin < heads; begin += kHeads * heads_of_pass) {
    uint4 loaded[kHeads];
#pragma unroll
    for (int i = 0; i < kHeads; ++i) {
      const int head = begin + i * heads_of_pass;
      if (head < heads) loaded[i] = __ldcg(reinterpret_cast<const uint4*>(qkv + head * head_dim));
    }
    // Behind those loads, because these wait for one another.
    if (!rope.rows_settled && begin < heads_of_pass) place = FindPlace(rope, row, chunk);
    if (!place.known) return;
#pragma unroll
    for (int i = 0; i < kHeads; ++i) {
      const int head = begin + i * heads_of_pass;
      if (head >= heads) break;
      float values[kChunk];
      UnpackBf16(loaded[i], values);
      if constexpr (kPrepares) Prepare(values, rope, head, chunk);
      if (head < rotated_heads) Rotate(values, place.angles);
      if (head < rope.heads) {
        *reinterpret_cast<uint4*>(qkv + head * head_dim) = PackBf16(values);
      } else if (place.slot >= 0) {
        const bool is_key = head < rotated_heads;
        const int kv_head = head - (is_key ? rope.heads : rotated_heads);
        const std::int64_t index = place.slot + kv_head * kv.block_size * head_dim + chunk * kChunk;
        StoreKv<kFp8>(is_key ? kv.k : kv.v, index, values, is_key ? k_inverse : v_inverse);
      }
    }
  }
}

// Most models prepare nothing, and pay nothing for those that do.
template <int kHeads, bool kPrepares>
LaunchResult LaunchRope(const RopeStore& rope, const LaunchShape& shape, Stream stream) {
  const PagedKv& kv = rope.kv;
  const auto kernel = kv.format == KvFormat::kFp8 ? RopeStoreKernel<kHeads, true, kPrepares>
                                                  : RopeStoreKernel<kHeads, false, kPrepares>;
  return Launch(kernel, shape, stream, rope, 1.0F / kv.k_scale, 1.0F / kv.v_scale);
}
template <bool kPrepares>
LaunchResult LaunchPasses(unsigned passes, const RopeStore& rope, const LaunchShape& shape, Stream stream) {
  if (passes == 1) return LaunchRope<1, kPrepares>(rope, shape, stream);
  if (passes == 2) return LaunchRope<2, kPrepares>(rope, shape, stream);
  return LaunchRope<3, kPrepares>(rope, shape, stream);  // more than three passes: several rounds of three
}

}  // namespace

LaunchResult RunRopeStore(const RopeStore& rope, Stream stream) {
  const PagedKv& kv = rope.kv;
  GPU_RETURN_IF_ERROR(CheckPagedKv(kv));
  GPU_REQUIRE(rope.rows.rows >= 0);
  GPU_REQUIRE(rope.heads > 0);
  const std::int64_t heads = std::int64_t{rope.heads} + 2 * std::int64_t{kv.kv_heads};
  GPU_REQUIRE(heads <= kHeadsMax);
  GPU_REQUIRE(rope.table_positions > 0);
  if (rope.rows.rows == 0) return LaunchResult::Ok();
  GPU_RETURN_IF_ERROR(CheckPagedKvMemory(kv, rope.rows.positions, rope.rows.block_begin, rope.rows.block_ids));
  GPU_REQUIRE(rope.qkv != nullptr && Aligned(rope.qkv, 16) && rope.table != nullptr && Aligned(rope.table, 16));
  GPU_REQUIRE(rope.sequence_of_row != nullptr && Aligned(rope.sequence_of_row, 4));
  const HeadsBeforeRope& before = rope.before;
  const bool norms = before.q_norm != nullptr;
  GPU_REQUIRE(norms == (before.k_norm != nullptr));
  GPU_REQUIRE(Aligned(before.bias, 16) && Aligned(before.q_norm, 16) && Aligned(before.k_norm, 16));
  GPU_REQUIRE(!norms || (kv.head_dim & (kv.head_dim - 1)) == 0);
  GPU_REQUIRE(!norms || before.eps > 0.0F);

  // As many passes as 256 threads need for the row's heads, and no more threads than those passes use.
  const auto chunks_of_head = static_cast<unsigned>(kv.head_dim / kChunk);
  const unsigned passes = BlocksFor(heads, kThreadsMax / chunks_of_head);
  const LaunchShape shape{.grid = dim3(static_cast<unsigned>(rope.rows.rows)),
                          .block = dim3(chunks_of_head, BlocksFor(heads, passes)),
                          .overlap = true};
  if (before.bias != nullptr || norms) return LaunchPasses<true>(passes, rope, shape, stream);
  return LaunchPasses<false>(passes, rope, shape, stream);
}

}  // namespace kernels::gpu
