#pragma once

#include <cstdint>

#include "kernels/attention/attention_tile_simd.h"
#include "kernels/attention/stage_kv_simd.h"
#include "kernels/quant/quantize_head_simd.h"

namespace kernels {

// Attention over a kQ8 cache: products of bytes, which are exact, so that nothing is staged and no order matters.

// c[q][at[v] + lane] = sum of the products of query q's bytes with those of the token in that lane, for kVectors
// vectors of tokens; exact, as long as it is below 2^24 (head_dim <= 512).
//   q    : [head_dim]             keys[v] : [head_dim / 4] rows of S::kLanes tokens, row_bytes apart
template <class S, int kQueries, int kVectors>
inline void DotTile(const std::int8_t* const* q, const std::uint8_t* const* keys, std::int64_t row_bytes,
                    std::int64_t head_dim, float* const* c, const std::int64_t* at) {
  typename S::I32 sums[kQueries][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sums[i][v] = S::ZeroI32();
  }
  for (std::int64_t k = 0, byte = 0; k < head_dim; k += 4, byte += row_bytes) {
    typename S::Bytes tokens[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) tokens[v] = S::LoadBytes(keys[v] + byte);
#pragma GCC unroll 8
    for (int i = 0; i < kQueries; ++i) {
      const auto four = S::Four(q[i] + k);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[i][v] = S::template Dot<false>(sums[i][v], tokens[v], four);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kQueries; ++i) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) S::Store(c[i] + at[v], S::ToFloat(sums[i][v]));
  }
}

// The same for any number of vectors. REQUIRES: 1 <= queries <= kTileQueries.
template <class S, int kQueries = kTileQueries<S>>
inline void Dot(int queries, const std::int8_t* const* q, const std::uint8_t* const* keys, std::int64_t vectors,
                std::int64_t row_bytes, std::int64_t head_dim, float* const* c, const std::int64_t* at) {
  if constexpr (kQueries > 1) {
    if (queries < kQueries) {
      return Dot<S, kQueries - 1>(queries, q, keys, vectors, row_bytes, head_dim, c, at);
    }
  }
  std::int64_t v = 0;
  for (; v + kTileVectors <= vectors; v += kTileVectors) {
    DotTile<S, kQueries, kTileVectors>(q, keys + v, row_bytes, head_dim, c, at + v);
  }
  for (; v < vectors; ++v) DotTile<S, kQueries, 1>(q, keys + v, row_bytes, head_dim, c, at + v);
}

// What turns the weights that see positions [first, end) of a span into whole numbers below 2^14: a position's factor
// brings its value's scale with it. Weights are at most 1, so that the largest scale says how large they can become.
inline constexpr float kWeightSteps = 16383.0F;
template <class S>
struct WeightFactors {
  float factors[kSpanTokensMax + 16];  // [position], 0 in lanes around [first, end)
  float unit;                          // NaN if a scale is

  WeightFactors(const float* scales, std::int64_t first, std::int64_t end) {
    const std::int64_t from = first / S::kLanes * S::kLanes;
    std::int64_t padded = from;
    for (; padded < end; padded += S::kLanes) S::Store(factors + padded, S::Load(scales + padded));
    for (std::int64_t t = from; t < first; ++t) factors[t] = 0.0F;
    for (std::int64_t t = end; t < padded; ++t) factors[t] = 0.0F;
    auto largest = S::Zero(), poison = S::Zero();
    for (std::int64_t t = from; t < padded; t += S::kLanes) {
      largest = S::Max(largest, S::Load(factors + t));
      poison = S::Fma(S::Load(factors + t), S::Zero(), poison);
    }
    const float most = S::ReduceMax(largest);
    const auto inverse = S::Set1(most > 0.0F ? kWeightSteps / most : 0.0F);
    for (std::int64_t t = from; t < padded; t += S::kLanes) {
      S::Store(factors + t, S::Min(S::Mul(S::Load(factors + t), inverse), S::Set1(kWeightSteps)));
    }
    unit = most / kWeightSteps + S::ReduceSum(poison);
  }
};

// A query's weights of a span times the values' scales: (128 * high + low) * unit. Bytes lie by slots, as the values
// do; a span's blocks of one token take 16 each.
inline constexpr std::int64_t kWeightSlotsMax = 2048;
struct RoundedWeights {
  alignas(64) std::int8_t high[kWeightSlotsMax + 16], low[kWeightSlotsMax + 16];
  std::int32_t zero;  // what the values' 128 adds to the sum
};

// `weights` of positions [first, end) of the span; those in the lanes around them may be any number.
template <class S>
[[gnu::noinline]] void RoundWeights(const float* weights, const WeightFactors<S>& factors, std::int64_t first,
                                    std::int64_t end, const ValueRuns<S>& values, RoundedWeights& to) {
  const std::int64_t from = first / S::kLanes * S::kLanes;
  auto total = S::ZeroI32();
  for (std::int64_t t = from; t < end; t += S::kLanes) {
    // NaN becomes the most, as it is no whole number; the sum of weights, which it is in too, keeps it.
    const auto product = S::Mul(S::Load(weights + t), S::Load(factors.factors + t));
    const auto steps = S::RoundToI32(S::Min(product, S::Set1(kWeightSteps)));
    total = S::Add(total, steps);
    S::StoreSevenBits(to.high + t, to.low + t, steps);
  }
  to.zero = 128 * static_cast<std::int32_t>(S::ReduceSum(S::ToFloat(total)));
  // To their slots, from the last block on so that none is overwritten before it moves; what lies between them is 0.
  const std::int64_t block_size = values.block_size, slots = values.slots;
  for (std::int64_t t = first / block_size * block_size; t < from; ++t) to.high[t] = to.low[t] = 0;
  if (slots == block_size) return;
  std::int8_t* const both[] = {to.high, to.low};
  for (std::int8_t* bytes : both) {
    for (std::int64_t block = (end - 1) / block_size; block >= first / block_size; --block) {
      const std::int64_t left = end - block * block_size, used = left < block_size ? left : block_size;
      __builtin_memmove(bytes + block * slots, bytes + block * block_size, static_cast<std::size_t>(used));
      for (std::int64_t t = used; t < slots; ++t) bytes[block * slots + t] = 0;
    }
  }
}

// sums[q][d ..) = the weighted sum of the values of positions [first, end), for kVectors vectors of a head.
template <class S, int kQueries, int kVectors>
inline void WeighTile(const RoundedWeights* weights, const ValueRuns<S>& values, std::int64_t first, std::int64_t end,
                      float unit, float* const* sums, std::int64_t d) {
  typename S::I32 high[kQueries][kVectors], low[kQueries][kVectors];
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) high[q][v] = low[q][v] = S::ZeroI32();
  }
  for (std::int64_t block = first / values.block_size; block * values.block_size < end; ++block) {
    const std::int64_t left = end - block * values.block_size;
    const std::int64_t used = left < values.block_size ? left : values.block_size;
    const std::uint8_t* run = values.runs[block] + d * 4;
    for (std::int64_t slot = 0; slot < used; slot += 4, run += values.head_dim * 4) {
      typename S::Bytes rows[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) rows[v] = S::LoadBytes(run + v * S::kLanes * 4);
#pragma GCC unroll 8
      for (int q = 0; q < kQueries; ++q) {
        const auto high4 = S::Four(weights[q].high + block * values.slots + slot);
        const auto low4 = S::Four(weights[q].low + block * values.slots + slot);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          high[q][v] = S::template Dot<false>(high[q][v], rows[v], high4);
          low[q][v] = S::template Dot<false>(low[q][v], rows[v], low4);
        }
      }
    }
  }
  const auto unit_v = S::Set1(unit);
#pragma GCC unroll 8
  for (int q = 0; q < kQueries; ++q) {
    const auto zero = S::Set1I32(&weights[q].zero);
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const auto sum = S::Sub(S::Add(S::Times128(high[q][v]), low[q][v]), zero);
      S::Store(sums[q] + d + v * S::kLanes, S::Mul(S::ToFloat(sum), unit_v));
    }
  }
}

template <class S>
inline constexpr int kWeighQueries = kTileQueries<S> / 2;  // two sums each

// For a whole head. REQUIRES: 1 <= queries <= kWeighQueries.
template <class S, int kQueries = kWeighQueries<S>>
inline void Weigh(int queries, const RoundedWeights* weights, const ValueRuns<S>& values, std::int64_t first,
                  std::int64_t end, float unit, float* const* sums) {
  if constexpr (kQueries > 1) {
    if (queries < kQueries) return Weigh<S, kQueries - 1>(queries, weights, values, first, end, unit, sums);
  }
  std::int64_t d = 0;
  for (; d + kTileVectors * S::kLanes <= values.head_dim; d += kTileVectors * S::kLanes) {
    WeighTile<S, kQueries, kTileVectors>(weights, values, first, end, unit, sums, d);
  }
  for (; d < values.head_dim; d += S::kLanes) WeighTile<S, kQueries, 1>(weights, values, first, end, unit, sums, d);
}

}  // namespace kernels
