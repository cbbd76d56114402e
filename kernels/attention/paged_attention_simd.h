#pragma once

#include <cstdint>

#include "kernels/attention/attention_direct_simd.h"
#include "kernels/attention/attention_q8_simd.h"
#include "kernels/attention/attention_tile_simd.h"
#include "kernels/attention/fetch_next_simd.h"
#include "kernels/attention/paged_attention.h"
#include "kernels/attention/stage_kv_simd.h"
#include "kernels/primitives/exp_simd.h"
#include "kernels/quant/quantize_head_simd.h"

namespace kernels {

// A call's scratch memory. Rows of staged keys and of scores lie an odd number of cache lines apart at the usual sizes,
// so that a column of them spreads over the cache's sets.
template <class S>
struct AttentionScratch {
  float* staged;   // [head_dim][score_stride], then [positions][value_stride]
  float* scores;   // [queries][score_stride]: scores, then their weights
  float* sums;     // [kTileQueries][head_dim]: of one span
  float* scales;   // [positions] of keys, then of values
  float* best;     // [queries] the largest score so far
  float* weights;  // [queries] the sum of weights so far, relative to it
  float* span_best;
  float* span_weights;
  float* q_scale;          // [queries] what makes a product of rounded numbers a score
  float* q_zero;           // [queries] what the keys' 128 adds to it
  std::int8_t* q_rounded;  // [queries][head_dim]
  std::int64_t score_stride, value_stride;
  ValueRuns<S> values;  // of the span, where nothing is staged
  bool direct;          // nothing is
  RoundedWeights rounded_weights[kWeighQueries<S>];

  AttentionScratch(const PagedAttention& a, float* memory) {
    const auto take = [&](std::int64_t floats) {
      float* taken = memory;
      memory += (floats + 15) / 16 * 16;
      return taken;
    };
    direct = a.kv.format == KvFormat::kQ8 || a.rows * a.group <= kTileQueries<S>;
    score_stride = SpanTokens(a.kv.block_size) + 16;
    value_stride = a.kv.head_dim + 16;
    staged = take((kSpanTokensMax + 16) * value_stride);
    scores = take(kQueriesMax * (kSpanTokensMax + 16));
    sums = take(8 * a.kv.head_dim);
    scales = take(kSpanTokensMax + 16);
    float** const arrays[] = {&best, &weights, &span_best, &span_weights, &q_scale, &q_zero};
    for (float** array : arrays) *array = take(kQueriesMax + 16);
    q_rounded = reinterpret_cast<std::int8_t*>(take(kQueriesMax * a.kv.head_dim / 4));
  }
};

// What scores are multiplied with, so that the softmax is one of powers of 2.
inline constexpr float kLog2E = 1.44269504F;

// Scores to weights: 2^(score - best) over positions [begin, end) of the span; in the vectors' other lanes 2^-126,
// which no sum of weights notices, because one of them is 1. kScaled: a score is (product - zero) * scale *
// k_scales[position], otherwise product * scale.
template <class S, bool kScaled>
[[gnu::noinline]] void SpanSoftmax(float* scores, std::int64_t begin, std::int64_t end, float scale, float zero,
                                   const float* k_scales, float* best_out, float* weights_out) {
  const std::int64_t from = begin / S::kLanes * S::kLanes;
  const auto scale_v = S::Set1(scale), zero_v = S::Set1(zero);
  std::int64_t to = from;
  for (; to < end; to += S::kLanes) {
    auto score = S::Load(scores + to);
    if constexpr (kScaled) score = S::Mul(S::Sub(score, zero_v), S::Load(k_scales + to));
    S::Store(scores + to, S::Mul(score, scale_v));
  }
  for (std::int64_t t = from; t < begin; ++t) scores[t] = -__builtin_inff();
  for (std::int64_t t = end; t < to; ++t) scores[t] = -__builtin_inff();
  auto best_v = S::Load(scores + from);
  for (std::int64_t t = from + S::kLanes; t < to; t += S::kLanes) best_v = S::Max(best_v, S::Load(scores + t));
  const float best = S::ReduceMax(best_v);
  best_v = S::Set1(best);
  auto weights_v = S::Zero();
  for (std::int64_t t = from; t < to; t += S::kLanes) {
    const auto weight = Exp2<S>(S::Sub(S::Load(scores + t), best_v));
    S::Store(scores + t, weight);
    weights_v = S::Add(weights_v, weight);
  }
  *best_out = best;
  *weights_out = S::ReduceSum(weights_v);
}

// Two softmaxes become one: what each one's sums are multiplied with. `best` and `weights` take in the second.
// REQUIRES: arrays of 16.
template <class S>
[[gnu::noinline]] void JoinSoftmax(float* best, float* weights, const float* other_best, const float* other_weights,
                                   float* keep, float* add) {
  for (int i = 0; i < 16; i += S::kLanes) {
    const auto own = S::Load(best + i), other = S::Load(other_best + i), larger = S::Max(own, other);
    const auto keep_v = Exp2<S>(S::Sub(own, larger)), add_v = Exp2<S>(S::Sub(other, larger));
    S::Store(keep + i, keep_v);
    S::Store(add + i, add_v);
    S::Store(best + i, larger);
    S::Store(weights + i, S::Fma(S::Load(weights + i), keep_v, S::Mul(S::Load(other_weights + i), add_v)));
  }
}

template <class S>
inline void JoinSums(float* sums, const float* other, std::int64_t head_dim, float keep, float add) {
  const auto keep_v = S::Set1(keep), add_v = S::Set1(add);
  for (std::int64_t d = 0; d < head_dim; d += S::kLanes) {
    S::Store(sums + d, S::Fma(S::Load(sums + d), keep_v, S::Mul(S::Load(other + d), add_v)));
  }
}

template <class S>
inline void Normalise(float* sums, std::int64_t head_dim, float weights) {
  const auto inverse = S::Set1(1.0F / weights);
  for (std::int64_t d = 0; d < head_dim; d += S::kLanes) S::Store(sums + d, S::Mul(S::Load(sums + d), inverse));
}

// A span as the rows of a call see it. Positions count from its first.
template <class S>
struct SpanView {
  const PagedAttention& a;
  std::int64_t begin, tokens;       // position of its first, and how many it has
  std::int64_t row_begin, row_end;  // that see any of it

  SpanView(const PagedAttention& attention, std::int64_t span)
      : a(attention), begin(span * SpanTokens(a.kv.block_size)), tokens(SpanTokens(a.kv.block_size)) {
    row_begin = a.context > begin ? 0 : begin + 1 - a.context;
    row_end = a.rows;
    while (row_end > row_begin && first(row_end - 1) >= tokens) --row_end;
  }
  std::int64_t first(std::int64_t row) const {
    const std::int64_t position = a.first(a.context + row) - begin;
    return position > 0 ? position : 0;
  }
  std::int64_t end(std::int64_t row) const {
    const std::int64_t position = a.context + row - begin;
    return position < tokens ? position : tokens;
  }
  bool starts(std::int64_t row) const { return a.first(a.context + row) >= begin; }  // none before it is seen
  // How many queries from query i on a tile takes.
  int Together(std::int64_t query) const {
    const std::int64_t left = row_end * a.group - query;
    return static_cast<int>(left < kTileQueries<S> ? left : kTileQueries<S>);
  }
  // How many queries from query i on see the same positions, of those that a tile takes.
  int Alike(std::int64_t query) const {
    std::int64_t row = query / a.group;
    if (first(row) == 0 && end(row) == tokens) {
      while (row + 1 < row_end && first(row + 1) == 0 && starts(row + 1) == starts(row)) ++row;
    }
    const std::int64_t alike = (row + 1) * a.group - query;
    return static_cast<int>(alike < kTileQueries<S> ? alike : kTileQueries<S>);
  }
};

// Scores of all queries with a span's keys, and their softmax. Queries of one tile need not see the same positions:
// what one of them does not see takes no part in its softmax.
template <class S, typename T>
inline void SpanScores(const SpanView<S>& view, AttentionScratch<S>& scratch) {
  const PagedAttention& a = view.a;
  const std::int64_t head_dim = a.kv.head_dim;
  const std::int64_t from = view.begin + view.first(view.row_begin), to = view.begin + view.end(view.row_end - 1);
  if (!scratch.direct) StageKeys<S, T>(a, view.begin, from, to, scratch.staged, scratch.score_stride);
  const KeyVectors<S> keys(a, view.begin, from, scratch.direct ? to : from, nullptr);
  for (std::int64_t i = view.row_begin * a.group; i < view.row_end * a.group;) {
    const int queries = view.Together(i);
    const float* q[kTileQueries<S>];
    float* scores[kTileQueries<S>];
    for (int j = 0; j < queries; ++j) {
      q[j] = a.q + (i + j) / a.group * a.q_stride + (i + j) % a.group * head_dim;
      scores[j] = scratch.scores + (i + j) * scratch.score_stride;
    }
    const std::int64_t first = view.first(i / a.group), end = view.end((i + queries - 1) / a.group);
    if (scratch.direct) {
      MultiplyKeys<S, T>(queries, q, keys, keys.Before(end), head_dim, scores);
    } else {
      Multiply<S>(queries, q, scratch.staged, scratch.score_stride, head_dim, scores, first / S::kLanes * S::kLanes,
                  (end + S::kLanes - 1) / S::kLanes * S::kLanes);
    }
    for (int j = 0; j < queries; ++j, ++i) {
      SpanSoftmax<S, false>(scores[j], view.first(i / a.group), view.end(i / a.group), a.scale * kLog2E, 0.0F, nullptr,
                            scratch.span_best + i, scratch.span_weights + i);
    }
  }
}

template <class S>
inline void SpanScoresQ8(const SpanView<S>& view, AttentionScratch<S>& scratch) {
  const PagedAttention& a = view.a;
  const std::int64_t head_dim = a.kv.head_dim;
  const std::int64_t from = view.first(view.row_begin), to = view.end(view.row_end - 1);
  const KeyVectors<S> keys(a, view.begin, view.begin + from, view.begin + to, scratch.scales);
  for (std::int64_t i = view.row_begin * a.group; i < view.row_end * a.group;) {
    const int queries = view.Together(i);
    const std::int8_t* q[kTileQueries<S>];
    float* scores[kTileQueries<S>];
    for (int j = 0; j < queries; ++j) {
      q[j] = scratch.q_rounded + (i + j) * head_dim;
      scores[j] = scratch.scores + (i + j) * scratch.score_stride;
    }
    const std::int64_t end = view.end((i + queries - 1) / a.group);
    Dot<S>(queries, q, keys.keys, keys.Before(end), keys.row_bytes, head_dim, scores, keys.at);
    for (int j = 0; j < queries; ++j, ++i) {
      SpanSoftmax<S, true>(scores[j], view.first(i / a.group), view.end(i / a.group), scratch.q_scale[i],
                           scratch.q_zero[i], scratch.scales, scratch.span_best + i, scratch.span_weights + i);
    }
  }
}

template <class S>
inline void RoundQueries(const PagedAttention& a, AttentionScratch<S>& scratch) {
  for (std::int64_t i = 0; i < a.rows * a.group; ++i) {
    std::int8_t* rounded = scratch.q_rounded + i * a.kv.head_dim;
    const float* q = a.q + i / a.group * a.q_stride + i % a.group * a.kv.head_dim;
    scratch.q_scale[i] = QuantizeHead<S>(q, a.kv.head_dim, rounded) * a.scale * kLog2E;
    std::int32_t sum = 0;
    for (std::int64_t d = 0; d < a.kv.head_dim; ++d) sum += rounded[d];
    scratch.q_zero[i] = static_cast<float>(128 * sum);
  }
}

template <class S>
inline void StageSpanValues(const SpanView<S>& view, AttentionScratch<S>& scratch) {
  const PagedAttention& a = view.a;
  const std::int64_t from = view.begin + view.first(view.row_begin), to = view.begin + view.end(view.row_end - 1);
  if (scratch.direct) {
    scratch.values.Enter(a, view.begin, from, to, scratch.scales);
  } else if (a.kv.format == KvFormat::kF16) {
    StageValues<S, std::uint16_t>(a, view.begin, from, to, scratch.staged, scratch.value_stride);
  } else {
    StageValues<S, float>(a, view.begin, from, to, scratch.staged, scratch.value_stride);
  }
}

// sums[query] = the weighted sum of a span's values, for queries [i, i + alike)
template <class S>
inline void SpanSums(const SpanView<S>& view, AttentionScratch<S>& scratch, std::int64_t i, int alike,
                     float* const* sums) {
  const std::int64_t first = view.first(i / view.a.group), end = view.end(i / view.a.group);
  if (view.a.kv.format == KvFormat::kQ8) {
    const WeightFactors<S> factors(scratch.scales, first, end);
    for (int done = 0; done < alike; done += kWeighQueries<S>) {
      const int queries = alike - done < kWeighQueries<S> ? alike - done : kWeighQueries<S>;
      for (int j = 0; j < queries; ++j) {
        RoundWeights<S>(scratch.scores + (i + done + j) * scratch.score_stride, factors, first, end, scratch.values,
                        scratch.rounded_weights[j]);
      }
      Weigh<S>(queries, scratch.rounded_weights, scratch.values, first, end, factors.unit, sums + done);
    }
    return;
  }
  const float* weights[kTileQueries<S>];
  for (int j = 0; j < alike; ++j) {
    weights[j] = scratch.scores + (i + j) * scratch.score_stride + (scratch.direct ? 0 : first);
  }
  if (scratch.direct && view.a.kv.format == KvFormat::kF16) {
    return MultiplyValues<S, std::uint16_t>(alike, weights, scratch.values, first, end, sums);
  }
  if (scratch.direct) return MultiplyValues<S, float>(alike, weights, scratch.values, first, end, sums);
  Multiply<S>(alike, weights, scratch.staged + first * scratch.value_stride, scratch.value_stride, end - first, sums, 0,
              view.a.kv.head_dim);
}

// Scores and weights of a span, and its values made ready.
template <class S>
inline void EnterSpan(const SpanView<S>& view, AttentionScratch<S>& scratch) {
  if (view.a.kv.format == KvFormat::kQ8) {
    SpanScoresQ8<S>(view, scratch);
  } else if (view.a.kv.format == KvFormat::kF16) {
    SpanScores<S, std::uint16_t>(view, scratch);
  } else {
    SpanScores<S, float>(view, scratch);
  }
  StageSpanValues<S>(view, scratch);
}

// See paged_attention.h.
template <class S>
inline void PagedAttend(const PagedAttention& a, float* memory, float* out, std::int64_t out_stride) {
  AttentionScratch<S> scratch(a, memory);
  const std::int64_t head_dim = a.kv.head_dim, queries = a.rows * a.group;
  const auto out_of = [&](std::int64_t i) { return out + i / a.group * out_stride + i % a.group * head_dim; };
  if (a.kv.format == KvFormat::kQ8) RoundQueries<S>(a, scratch);
  const std::int64_t span_tokens = SpanTokens(a.kv.block_size), span_blocks = span_tokens / a.kv.block_size;
  const std::int64_t first_span = a.first(a.context) / span_tokens;
  FetchNext<S> next(a, first_span, /*all=*/true);
  for (std::int64_t span = first_span; span * span_tokens < a.context + a.rows - 1; ++span) {
    const SpanView<S> view(a, span);
    next.Fetch(span_blocks / 2);
    EnterSpan<S>(view, scratch);
    next.Fetch(span_blocks - span_blocks / 2);
    for (std::int64_t i = view.row_begin * a.group; i < view.row_end * a.group;) {
      const int alike = view.Alike(i);
      float* sums[kTileQueries<S>];
      if (view.starts(i / a.group)) {
        for (int j = 0; j < alike; ++j) {
          sums[j] = out_of(i + j);
          scratch.best[i + j] = scratch.span_best[i + j];
          scratch.weights[i + j] = scratch.span_weights[i + j];
        }
        SpanSums<S>(view, scratch, i, alike, sums);
        i += alike;
        continue;
      }
      for (int j = 0; j < alike; ++j) sums[j] = scratch.sums + j * head_dim;
      SpanSums<S>(view, scratch, i, alike, sums);
      float best[16] = {}, weights[16] = {}, span_best[16] = {}, span_weights[16] = {}, keep[16], add[16];
      for (int j = 0; j < alike; ++j) {
        best[j] = scratch.best[i + j];
        weights[j] = scratch.weights[i + j];
        span_best[j] = scratch.span_best[i + j];
        span_weights[j] = scratch.span_weights[i + j];
      }
      JoinSoftmax<S>(best, weights, span_best, span_weights, keep, add);
      for (int j = 0; j < alike; ++j, ++i) {
        scratch.best[i] = best[j];
        scratch.weights[i] = weights[j];
        JoinSums<S>(out_of(i), sums[j], head_dim, keep[j], add[j]);
      }
    }
  }
  for (std::int64_t i = 0; i < queries; ++i) Normalise<S>(out_of(i), head_dim, scratch.weights[i]);
}

template <class S>
inline void AttendSpan(const PagedAttention& a, std::int64_t span, float* memory, float* part) {
  AttentionScratch<S> scratch(a, memory);
  if (a.kv.format == KvFormat::kQ8) RoundQueries<S>(a, scratch);
  const SpanView<S> view(a, span);
  FetchNext<S> next(a, span, /*all=*/false);
  next.Fetch(view.tokens / a.kv.block_size);
  EnterSpan<S>(view, scratch);
  const std::int64_t head_dim = a.kv.head_dim, stride = PartFloats(head_dim);
  for (std::int64_t i = 0; i < a.group;) {
    const int alike = view.Alike(i);
    float* sums[kTileQueries<S>];
    for (int j = 0; j < alike; ++j) sums[j] = part + (i + j) * stride;
    SpanSums<S>(view, scratch, i, alike, sums);
    for (int j = 0; j < alike; ++j, ++i) {
      sums[j][head_dim] = scratch.span_best[i];
      sums[j][head_dim + 1] = scratch.span_weights[i];
    }
  }
}

template <class S>
inline void JoinSpans(const float* parts, std::int64_t spans, std::int64_t group, std::int64_t head_dim, float* out) {
  const std::int64_t stride = PartFloats(head_dim);
  for (std::int64_t g = 0; g < group; ++g, parts += stride, out += head_dim) {
    float best[16] = {parts[head_dim]}, weights[16] = {parts[head_dim + 1]}, keep[16], add[16];
    __builtin_memcpy(out, parts, static_cast<std::size_t>(head_dim) * sizeof(float));
    for (std::int64_t s = 1; s < spans; ++s) {
      const float* part = parts + s * group * stride;
      const float span_best[16] = {part[head_dim]}, span_weights[16] = {part[head_dim + 1]};
      JoinSoftmax<S>(best, weights, span_best, span_weights, keep, add);
      JoinSums<S>(out, part, head_dim, keep[0], add[0]);
    }
    Normalise<S>(out, head_dim, weights[0]);
  }
}

}  // namespace kernels
