#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention/paged_attention.h"
#include "kernels/quant/half.h"

namespace kernels {
namespace {

double Element(const PagedAttention& a, const void* plane, std::int64_t position, std::int64_t i) {
  const PagedKv& kv = a.kv;
  const std::int64_t block = a.block_ids[position / kv.block_size];
  const std::int64_t index =
      ((block * kv.kv_heads + a.kv_head) * kv.block_size + position % kv.block_size) * kv.head_dim + i;
  if (kv.format == KvFormat::kF32) return static_cast<double>(static_cast<const float*>(plane)[index]);
  return static_cast<double>(HalfToFloat(static_cast<const std::uint16_t*>(plane)[index]));
}

double Score(const PagedAttention& a, const float* q, std::int64_t position) {
  double dot = 0.0;
  for (std::int64_t i = 0; i < a.kv.head_dim; ++i) dot += static_cast<double>(q[i]) * Element(a, a.kv.k, position, i);
  return dot * static_cast<double>(a.scale);
}

}  // namespace

// The textbook form: all scores, their softmax, the weighted sum; all in double.
void PagedAttentionRef(const PagedAttention& a, const float* q, float* out) {
  std::vector<double> weights(static_cast<std::size_t>(a.context - a.first()));
  for (std::int64_t g = 0; g < a.group; ++g, q += a.kv.head_dim, out += a.kv.head_dim) {
    double best = -std::numeric_limits<double>::infinity();
    for (std::int64_t p = a.first(); p < a.context; ++p) {
      weights[static_cast<std::size_t>(p - a.first())] = Score(a, q, p);
      best = std::max(best, weights[static_cast<std::size_t>(p - a.first())]);
    }
    double total = 0.0;
    for (double& weight : weights) total += weight = std::exp(weight - best);
    for (std::int64_t i = 0; i < a.kv.head_dim; ++i) {
      double sum = 0.0;
      for (std::int64_t p = a.first(); p < a.context; ++p) {
        sum += weights[static_cast<std::size_t>(p - a.first())] * Element(a, a.kv.v, p, i);
      }
      out[i] = static_cast<float>(sum / total);
    }
  }
}

}  // namespace kernels
