#pragma once

#include <type_traits>

#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/primitives/gpu/async_copy.h"
#include "kernels/primitives/gpu/device.h"
#include "kernels/primitives/gpu/fp8_pairs.h"
#include "kernels/primitives/gpu/half_pairs.h"
#include "kernels/primitives/gpu/mma.h"

namespace kernels::gpu {

// How one warp takes a tile of 16 keys, or of their values, from memory into matrix instructions.
//
// The scores are S^T [16 keys][8 heads] = K [16][16 dims] Q^T [16 dims][8 heads] and the output is
// O^T [16 dims][8 heads] = V^T [16 dims][16 keys] P^T [16 keys][8 heads], so that a group of up to 8 query heads fills
// the instruction's N and the keys and values its M; a larger group takes two head tiles on the same K and V.
//
// Which dimension stands in which column of K, or row of V^T, is free as long as Q and the output agree. It is chosen
// so that a lane's own fragments are whole 16-byte pieces of a row, wherever rows divide into such: no ldmatrix, which
// couldn't transpose bytes.
//
// The copy to shared memory is another matter: the 16 rows of a tile follow one another in memory, and each instruction
// of the warp copies 512 bytes of them, 8 neighbouring lanes a 128-byte line, so that the L2 cache is asked for each
// line once. The lines keep their order in shared memory; the 16-byte pieces of a line are exchanged, see Turn, so that
// the lanes that read at a time find theirs in different banks. A __syncwarp stands between the copy and its use.
inline constexpr int kTileKeys = 16;

struct WarpLane {
  int group, pair;  // as in mma.h
  __device__ __forceinline__ int index() const { return group * 4 + pair; }
};

template <KvFormat kFormat, int kHeadDim>
struct DecodeTile {
  static constexpr int kValueBytes = static_cast<int>(KvBytes(kFormat));
  static constexpr int kRowBytes = kHeadDim * kValueBytes;
  static constexpr int kTileBytes = kTileKeys * kRowBytes;  // in shared memory, K or V
  static constexpr int kSteps = kHeadDim / 16;              // instructions a head tile
  static constexpr int kLineBytes = 128;
  static constexpr bool kFp8 = kFormat == KvFormat::kFp8;

  // A span of a row's bytes starts at `offset`; every lane takes kWidth bytes of it for each of its keys: 4 lanes
  // (pair) share a key's span, 8 (group) a value's.
  template <typename Body>  // body(integral_constant kWidth, offset)
  __device__ static __forceinline__ void ForKeySpans(Body body) {
#pragma unroll
    for (int span = 0; span < kRowBytes / 64; ++span) body(std::integral_constant<int, 16>{}, 64 * span);
    if constexpr (kRowBytes % 64 == 32) body(std::integral_constant<int, 8>{}, kRowBytes / 64 * 64);
    static_assert(kRowBytes % 32 == 0);
  }
  template <typename Body>
  __device__ static __forceinline__ void ForValueSpans(Body body) {
#pragma unroll
    for (int span = 0; span < kRowBytes / 128; ++span) body(std::integral_constant<int, 16>{}, 128 * span);
    if constexpr (kRowBytes % 128 >= 64) body(std::integral_constant<int, 8>{}, kRowBytes / 128 * 128);
    if constexpr (kRowBytes % 64 == 32) body(std::integral_constant<int, 4>{}, kRowBytes / 64 * 64);
  }

  // Starts the copies of a tile of keys or values whose first row is at `from`; rows at and beyond `rows` become zero
  // and are not read. kL2Bytes: see CopyAsync16.
  template <int kL2Bytes>
  __device__ static __forceinline__ void Fetch(unsigned char* to, const unsigned char* from, int rows, WarpLane lane) {
    const int end = min(rows, kTileKeys) * kRowBytes;
    from += lane.index() * 16;  // what follows is the same in all lanes, and a part of the instruction
#pragma unroll
    for (int copy = 0; copy < kTileBytes / (kWarpLanes * 16); ++copy) {
      const int at = (copy * kWarpLanes + lane.index()) * 16;
      unsigned char* const place = to + (at ^ Turn(at / kRowBytes));
      CopyAsync16<kL2Bytes>(place, from + copy * kWarpLanes * 16, at < end);
    }
  }

  // The dimension of the lane's first element in a key's span; the lane's elements follow one another.
  template <int kWidth>
  __device__ static __forceinline__ int KeyDim(int offset, WarpLane lane) {
    return offset / kValueBytes + lane.pair * (kWidth / kValueBytes);
  }
  template <int kWidth>
  __device__ static __forceinline__ int ValueDim(int offset, WarpLane lane) {
    return offset / kValueBytes + lane.group * (kWidth / kValueBytes);
  }

  // s[head tile] += K Q^T. q[head tile][step] holds B fragments in the order of ForKeySpans.
  template <int kHeadTiles>
  __device__ static __forceinline__ void AddScores(float (&s)[kHeadTiles][4], const unsigned char* keys,
                                                   const std::uint32_t (&q)[kHeadTiles][kSteps][2], WarpLane lane) {
    ForKeySpans([&](auto width, int offset) {
      constexpr int kWidth = decltype(width)::value;
      std::uint32_t raw[2][kWidth / 4];  // of keys group and group + 8
#pragma unroll
      for (int i = 0; i < 2; ++i) LoadWords(raw[i], keys + Place(lane.group, 8 * i, offset, lane.pair * kWidth));
#pragma unroll
      for (int u = 0; u < kWidth / kValueBytes / 4; ++u) {  // 4 elements of each of two keys a step
        std::uint32_t a[4];
        if constexpr (kFp8) {
          a[0] = HalvesOfFp8Pair(raw[0][u]), a[1] = HalvesOfFp8Pair(raw[1][u]);
          a[2] = HalvesOfFp8Pair(raw[0][u] >> 16), a[3] = HalvesOfFp8Pair(raw[1][u] >> 16);
        } else {
          a[0] = raw[0][2 * u], a[1] = raw[1][2 * u], a[2] = raw[0][2 * u + 1], a[3] = raw[1][2 * u + 1];
        }
#pragma unroll
        for (int tile = 0; tile < kHeadTiles; ++tile) Multiply(s[tile], a, q[tile][offset / kValueBytes / 16 + u]);
      }
    });
  }

  // o[head tile][step] += V^T P^T; o[..][step][0], [1] and [2], [3] are two neighbouring dimensions, see ValueDim.
  template <int kHeadTiles>
  __device__ static __forceinline__ void AddValues(float (&o)[kHeadTiles][kSteps][4], const unsigned char* values,
                                                   const std::uint32_t (&p)[kHeadTiles][2], WarpLane lane) {
    ForValueSpans([&](auto width, int offset) {
      constexpr int kWidth = decltype(width)::value;
      std::uint32_t raw[4][kWidth / 4];  // of keys 2 pair, 2 pair + 1, 2 pair + 8, 2 pair + 9
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        LoadWords(raw[i], values + Place(2 * lane.pair, i % 2 + 8 * (i / 2), offset, lane.group * kWidth));
      }
#pragma unroll
      for (int word = 0; word < kWidth / 4; ++word) {
        constexpr int kStepsAWord = kFp8 ? 2 : 1;
#pragma unroll
        for (int u = 0; u < kStepsAWord; ++u) {
          std::uint32_t a[4];
          if constexpr (kFp8) {  // the bytes of two keys interleaved, then widened
            const unsigned selector = u == 0 ? 0x5140U : 0x7362U;
            const std::uint32_t low = __byte_perm(raw[0][word], raw[1][word], selector);
            const std::uint32_t high = __byte_perm(raw[2][word], raw[3][word], selector);
            a[0] = HalvesOfFp8Pair(low), a[1] = HalvesOfFp8Pair(low >> 16);
            a[2] = HalvesOfFp8Pair(high), a[3] = HalvesOfFp8Pair(high >> 16);
          } else {
            a[0] = __byte_perm(raw[0][word], raw[1][word], 0x5410U),
            a[1] = __byte_perm(raw[0][word], raw[1][word], 0x7632U);
            a[2] = __byte_perm(raw[2][word], raw[3][word], 0x5410U),
            a[3] = __byte_perm(raw[2][word], raw[3][word], 0x7632U);
          }
          const int step = offset / kValueBytes / 16 + word * kStepsAWord + u;
#pragma unroll
          for (int tile = 0; tile < kHeadTiles; ++tile) Multiply(o[tile][step], a, p[tile]);
        }
      }
    });
  }

  // Two values as the multiplication takes them.
  __device__ static __forceinline__ std::uint32_t Pack(float low, float high) {
    if constexpr (kFp8) {
      return PackF16(low, high);
    } else {
      return PackBf16(low, high);
    }
  }

 private:
  // What the places of a row's 16-byte pieces are XORed with, in bytes: the same for all rows that share a line. At a
  // time 8 lanes read 16 bytes each, those of keys from rows 2 i and 2 i + 1, of values from rows 0, 2, 4, 6 or 1, 3,
  // 5, 7; half as many bytes, or a quarter, are read by twice as many lanes. (Keys of 96 bytes keep conflicts of two.)
  __device__ static __forceinline__ int Turn(int row) {
    if constexpr (kRowBytes % kLineBytes == 0) {
      return ((row & 6) ^ (row & 1) << 2) * 16;
    } else {
      constexpr int kRowsOfWholeLines = kRowBytes % 64 == 0 ? 2 : 4;
      return (row / kRowsOfWholeLines * 2 & 6) * 16;
    }
  }
  // Where the lane finds byte `offset` + `lane_byte` of row `lane_row` + `row`, of which no bit is set in both. What is
  // the same in all lanes is kept apart, so that it is part of the instruction where a row is whole lines.
  __device__ static __forceinline__ int Place(int lane_row, int row, int offset, int lane_byte) {
    if constexpr (kRowBytes % kLineBytes == 0) {
      const int of_line = (offset % kLineBytes + lane_byte) ^ Turn(lane_row) ^ Turn(row);
      return lane_row * kRowBytes + of_line + (row * kRowBytes + offset / kLineBytes * kLineBytes);
    } else {
      return ((lane_row + row) * kRowBytes + offset + lane_byte) ^ Turn(lane_row + row);
    }
  }

  __device__ static __forceinline__ void Multiply(float (&d)[4], const std::uint32_t (&a)[4],
                                                  const std::uint32_t (&b)[2]) {
    if constexpr (kFp8) {
      MmaF16(d, a, b);
    } else {
      MmaBf16(d, a, b);
    }
  }

  template <int kWords>
  __device__ static __forceinline__ void LoadWords(std::uint32_t (&words)[kWords], const unsigned char* from) {
    if constexpr (kWords == 4) {
      const uint4 loaded = *reinterpret_cast<const uint4*>(from);
      words[0] = loaded.x, words[1] = loaded.y, words[2] = loaded.z, words[3] = loaded.w;
    } else if constexpr (kWords == 2) {
      const uint2 loaded = *reinterpret_cast<const uint2*>(from);
      words[0] = loaded.x, words[1] = loaded.y;
    } else {
      words[0] = *reinterpret_cast<const std::uint32_t*>(from);
    }
  }
};

}  // namespace kernels::gpu
