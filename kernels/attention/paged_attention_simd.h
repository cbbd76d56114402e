#pragma once

#include <cstdint>

#include "kernels/attention/paged_attention.h"
#include "kernels/primitives/exp_simd.h"

namespace kernels {

template <class S>
inline typename S::F32 LoadElement(const float* p) {
  return S::Load(p);
}
template <class S>
inline typename S::F32 LoadElement(const std::uint16_t* p) {
  return S::LoadF16(p);
}

// The running softmax of one query head. Its weighted sum of values lies in `out`, unnormalised until the end.
struct OnlineSoftmax {
  float best = -__builtin_inff();
  float weights = 0.0F;
};

// scores[t] = scale * q . k[t], four tokens at a time so that four chains of multiply-adds overlap.
template <class S, typename T>
inline void BlockScores(const T* k, std::int64_t tokens, std::int64_t head_dim, float scale, const float* q,
                        float* scores) {
  for (std::int64_t t = 0; t < tokens; t += 4) {
    const T* rows[4];
    for (std::int64_t i = 0; i < 4; ++i) rows[i] = k + (t + i < tokens ? t + i : tokens - 1) * head_dim;
    typename S::F32 sums[4] = {S::Zero(), S::Zero(), S::Zero(), S::Zero()};
    for (std::int64_t d = 0; d < head_dim; d += S::kLanes) {
      const auto q_d = S::Load(q + d);
      for (int i = 0; i < 4; ++i) sums[i] = S::Fma(q_d, LoadElement<S>(rows[i] + d), sums[i]);
    }
    float four[4];
    S::ReduceSum4(sums[0], sums[1], sums[2], sums[3], four);
    for (std::int64_t i = 0; i < 4; ++i) scores[t + i] = t + i < tokens ? four[i] * scale : -__builtin_inff();
  }
}

// Takes `tokens` more positions into the softmax. `scores` becomes their weights; it is filled up with -infinity to
// whole vectors. REQUIRES: scores has room for that.
template <class S, typename T>
inline void AddBlock(OnlineSoftmax& state, float* scores, const T* v, std::int64_t tokens, std::int64_t head_dim,
                     float* out) {
  std::int64_t padded = (tokens + 3) / 4 * 4;
  for (; padded % S::kLanes != 0; ++padded) scores[padded] = -__builtin_inff();
  auto best_v = S::Set1(state.best);
  for (std::int64_t t = 0; t < padded; t += S::kLanes) best_v = S::Max(best_v, S::Load(scores + t));
  const float best = S::ReduceMax(best_v);
  const float decay = S::First(Exp<S>(S::Set1(state.best - best)));  // of what was summed under the old maximum
  auto weights_v = S::Zero();
  for (std::int64_t t = 0; t < padded; t += S::kLanes) {
    const auto weight = Exp<S>(S::Sub(S::Load(scores + t), S::Set1(best)));
    S::Store(scores + t, weight);
    weights_v = S::Add(weights_v, weight);
  }
  state.weights = state.weights * decay + S::ReduceSum(weights_v);
  state.best = best;
  for (std::int64_t d = 0; d < head_dim; d += S::kLanes) {
    auto sum = S::Mul(S::Load(out + d), S::Set1(decay));
    for (std::int64_t t = 0; t < tokens; ++t) {
      sum = S::Fma(S::Set1(scores[t]), LoadElement<S>(v + t * head_dim + d), sum);
    }
    S::Store(out + d, sum);
  }
}

template <class S, typename T>
inline void PagedAttentionAs(const PagedAttention& a, const float* q, float* out) {
  const std::int64_t head_dim = a.kv.head_dim;
  float scores[kKvBlockSizeMax + 16];
  for (std::int64_t g = 0; g < a.group; ++g) {
    OnlineSoftmax state;
    const float* q_g = q + g * head_dim;
    float* out_g = out + g * head_dim;
    for (std::int64_t d = 0; d < head_dim; ++d) out_g[d] = 0.0F;
    const std::int64_t first = a.first();
    for (std::int64_t begin = first - first % a.kv.block_size; begin < a.context; begin += a.kv.block_size) {
      const std::int64_t tokens = a.context - begin < a.kv.block_size ? a.context - begin : a.kv.block_size;
      const std::int64_t block = a.block_ids[begin / a.kv.block_size];
      const std::int64_t offset = (block * a.kv.kv_heads + a.kv_head) * a.kv.block_size * head_dim;
      BlockScores<S>(static_cast<const T*>(a.kv.k) + offset, tokens, head_dim, a.scale, q_g, scores);
      for (std::int64_t t = 0; t < first - begin; ++t) scores[t] = -__builtin_inff();  // before the window
      AddBlock<S>(state, scores, static_cast<const T*>(a.kv.v) + offset, tokens, head_dim, out_g);
    }
    const auto normaliser = S::Set1(1.0F / state.weights);
    for (std::int64_t d = 0; d < head_dim; d += S::kLanes) S::Store(out_g + d, S::Mul(S::Load(out_g + d), normaliser));
  }
}

// See paged_attention.h.
template <class S>
inline void PagedAttend(const PagedAttention& attention, const float* q, float* out) {
  if (attention.kv.format == KvFormat::kF32) {
    PagedAttentionAs<S, float>(attention, q, out);
  } else {
    PagedAttentionAs<S, std::uint16_t>(attention, q, out);
  }
}

}  // namespace kernels
