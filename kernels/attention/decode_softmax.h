#pragma once

#include <limits>

#include "kernels/attention/decode_tile.h"
#include "kernels/primitives/gpu/exp2.h"

namespace kernels::gpu {

inline constexpr int kHeadTile = 8;  // query heads in one matrix instruction
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The query heads of one key/value head, as B fragments, and the factor of their scores.
template <KvFormat kFormat, int kHeadDim, int kHeadTiles>
struct Queries {
  using Tile = DecodeTile<kFormat, kHeadDim>;
  std::uint32_t fragments[kHeadTiles][Tile::kSteps][2];
  float scale[kHeadTiles][2];  // of heads 2 pair, 2 pair + 1 of the tile

  // q : [group][head_dim] of this key/value head. Heads beyond the group are zero. All lanes must call.
  __device__ __forceinline__ void Load(const Bf16* q, int group, float score_scale, WarpLane lane) {
#pragma unroll
    for (int tile = 0; tile < kHeadTiles; ++tile) {
      const int head = tile * kHeadTile + lane.group;
      const Bf16* const row = q + head * kHeadDim;
      Tile::ForKeySpans([&](auto width, int offset) {
        constexpr int kWidth = decltype(width)::value;
#pragma unroll
        for (int u = 0; u < kWidth / Tile::kValueBytes / 4; ++u) {
          uint2 words = make_uint2(0, 0);
          if (head < group)
            words = *reinterpret_cast<const uint2*>(row + Tile::template KeyDim<kWidth>(offset, lane) + 4 * u);
          auto& fragment = fragments[tile][offset / Tile::kValueBytes / 16 + u];
          fragment[0] = words.x, fragment[1] = words.y;
        }
      });
      scale[tile][0] = scale[tile][1] = score_scale;
      if constexpr (Tile::kFp8) ToHalfPrecision(tile, lane);
    }
  }

 private:
  // A power of two brings the head's largest element to 1 .. 2, and the factor takes it out again: exact, but for
  // elements below 2^-14 of the largest, which lose bits beyond 2^-25 of it.
  __device__ __forceinline__ void ToHalfPrecision(int tile, WarpLane lane) {
    float largest = 0.0F;
#pragma unroll
    for (int step = 0; step < Tile::kSteps; ++step) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const std::uint32_t word = fragments[tile][step][i];
        largest = fmaxf(largest, fmaxf(fabsf(LowBf16(word)), fabsf(HighBf16(word))));
      }
    }
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
    largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
    const int exponent = min(max(static_cast<int>(FloatToBits(largest) >> 23), 1), 253);
    const float shrink = BitsToFloat(static_cast<std::uint32_t>(254 - exponent) << 23);
#pragma unroll
    for (int step = 0; step < Tile::kSteps; ++step) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const std::uint32_t word = fragments[tile][step][i];
        fragments[tile][step][i] = PackF16(LowBf16(word) * shrink, HighBf16(word) * shrink);
      }
    }
    const float grow = BitsToFloat(static_cast<std::uint32_t>(exponent) << 23);  // of head lane.group
    scale[tile][0] *= __shfl_sync(kAllLanes, grow, lane.pair * 8);
    scale[tile][1] *= __shfl_sync(kAllLanes, grow, lane.pair * 8 + 4);
  }
};

// What one warp has of a piece: the online softmax (Milakov and Gimelshein 2018) of its tiles.
template <KvFormat kFormat, int kHeadDim, int kHeadTiles>
struct Partial {
  using Tile = DecodeTile<kFormat, kHeadDim>;
  float output[kHeadTiles][Tile::kSteps][4];
  float maximum[kHeadTiles][2], sum[kHeadTiles][2];  // of heads 2 pair, 2 pair + 1; sum: over the lane's own keys

  __device__ __forceinline__ void Clear() {
#pragma unroll
    for (int tile = 0; tile < kHeadTiles; ++tile) {
#pragma unroll
      for (int step = 0; step < Tile::kSteps; ++step) {
#pragma unroll
        for (float& value : output[tile][step]) value = 0.0F;
      }
      maximum[tile][0] = maximum[tile][1] = -kInfinity;
      sum[tile][0] = sum[tile][1] = 0.0F;
    }
  }

  // `rows` of the tile's keys belong to the context: at least one.
  __device__ __forceinline__ void AddTile(const unsigned char* stage,
                                          const Queries<kFormat, kHeadDim, kHeadTiles>& queries, int rows,
                                          WarpLane lane) {
    float scores[kHeadTiles][4] = {};
    Tile::AddScores(scores, stage, queries.fragments, lane);
    std::uint32_t weights[kHeadTiles][2];
#pragma unroll
    for (int tile = 0; tile < kHeadTiles; ++tile) {
      Weigh(tile, scores[tile], queries.scale[tile], rows, lane, weights[tile]);
    }
    Tile::AddValues(output, stage + Tile::kTileBytes, weights, lane);
  }

 private:
  // Scores to the weights of the values, as B fragments; what was summed before is brought to the new maximum.
  __device__ __forceinline__ void Weigh(int tile, const float (&scores)[4], const float (&scale)[2], int rows,
                                        WarpLane lane, std::uint32_t (&weights)[2]) {
    float p[4], shrink[2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float low = lane.group < rows ? scores[i] * scale[i] : -kInfinity;
      const float high = lane.group + 8 < rows ? scores[i + 2] * scale[i] : -kInfinity;
      float largest = fmaxf(low, high);
#pragma unroll
      for (int offset = 4; offset < kWarpLanes; offset *= 2) {
        largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, offset));
      }
      largest = fmaxf(largest, maximum[tile][i]);
      shrink[i] = Exp2(maximum[tile][i] - largest);
      maximum[tile][i] = largest;
      p[i] = Exp2(low - largest), p[i + 2] = Exp2(high - largest);
      sum[tile][i] = sum[tile][i] * shrink[i] + (p[i] + p[i + 2]);
    }
#pragma unroll
    for (int step = 0; step < Tile::kSteps; ++step) {
#pragma unroll
      for (int i = 0; i < 4; ++i) output[tile][step][i] *= shrink[i & 1];
    }
    // The scores' fragment has a key a row, the weights' needs a head a column with two keys in a register.
    const int even = lane.pair * 8 + lane.group / 2;  // the lane that holds key 2 pair and this lane's head
    const unsigned selector = (lane.group & 1) == 0 ? 0x5410U : 0x7632U;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const std::uint32_t packed = Tile::Pack(p[2 * i], p[2 * i + 1]);
      const std::uint32_t of_even = __shfl_sync(kAllLanes, packed, even);
      const std::uint32_t of_odd = __shfl_sync(kAllLanes, packed, even + 4);
      weights[i] = __byte_perm(of_even, of_odd, selector);
    }
  }
};

}  // namespace kernels::gpu
