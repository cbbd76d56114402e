#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention/paged_attention.h"
#include "kernels/quant/half.h"
#include "kernels/quant/rounding_factor.h"

namespace kernels {
namespace {

double Element(const PagedAttention& a, bool key, std::int64_t position, std::int64_t i) {
  const PagedKv& kv = a.kv;
  const std::int64_t slot = position % kv.block_size;
  const auto* run = static_cast<const std::uint8_t*>(key ? kv.k : kv.v) +
                    kv.HeadRun(a.block_ids[position / kv.block_size], a.kv_head);
  const std::int64_t at = key ? i * kv.slots() + slot : slot * kv.head_dim + i;
  if (kv.format == KvFormat::kF32) return static_cast<double>(reinterpret_cast<const float*>(run)[at]);
  if (kv.format == KvFormat::kF16) {
    return static_cast<double>(HalfToFloat(reinterpret_cast<const std::uint16_t*>(run)[at]));
  }
  const double scale = static_cast<double>(reinterpret_cast<const float*>(run + kv.slots() * kv.head_dim)[slot]);
  const std::int64_t quad = key ? i / 4 * kv.slots() + slot : slot / 4 * kv.head_dim + i;
  return (run[quad * 4 + (key ? i : slot) % 4] - 128) * scale;
}

// The query as its products with keys see it.
std::vector<double> Query(const PagedAttention& a, const float* q) {
  std::vector<double> values(q, q + a.kv.head_dim);
  if (a.kv.format != KvFormat::kQ8) return values;
  float largest = 0.0F, poison = 0.0F;
  for (std::int64_t i = 0; i < a.kv.head_dim; ++i) {
    largest = std::max(largest, std::fabs(q[i]));
    poison += q[i] * 0.0F;
  }
  const float inverse = RoundingFactor(largest);
  for (std::int64_t i = 0; i < a.kv.head_dim; ++i) {
    values[static_cast<std::size_t>(i)] =
        static_cast<double>(std::nearbyint(q[i] * inverse)) * static_cast<double>(largest / 127.0F + poison);
  }
  return values;
}

// The textbook form over positions [begin, end): all scores, their softmax, the weighted sum; all in double.
struct Sum {
  std::vector<double> values;  // unnormalised
  double best = -std::numeric_limits<double>::infinity(), weights = 0.0;
};
Sum Attend(const PagedAttention& a, const float* q, std::int64_t begin, std::int64_t end) {
  const std::vector<double> query = Query(a, q);
  Sum sum{.values = std::vector<double>(query.size())};
  std::vector<double> weights;
  for (std::int64_t p = begin; p < end; ++p) {
    double dot = 0.0;
    for (std::int64_t i = 0; i < a.kv.head_dim; ++i) {
      dot += query[static_cast<std::size_t>(i)] * Element(a, /*key=*/true, p, i);
    }
    weights.push_back(dot * static_cast<double>(a.scale));
    sum.best = std::max(sum.best, weights.back());
  }
  for (double& weight : weights) sum.weights += weight = std::exp(weight - sum.best);
  for (std::int64_t i = 0; i < a.kv.head_dim; ++i) {
    for (std::int64_t p = begin; p < end; ++p) {
      sum.values[static_cast<std::size_t>(i)] +=
          weights[static_cast<std::size_t>(p - begin)] * Element(a, /*key=*/false, p, i);
    }
  }
  return sum;
}

}  // namespace

std::int64_t AttentionScratchFloats(std::int64_t head_dim) {
  return (kSpanTokensMax + 16) * (head_dim + 16)  // staged keys, then values
         + kQueriesMax * (kSpanTokensMax + 16)    // scores
         + 8 * head_dim                           // sums of a tile
         + kSpanTokensMax + 16                    // scales of keys
         + 6 * (kQueriesMax + 16)                 // of each query: its softmax so far and in the span, its rounding
         + kQueriesMax * ((head_dim / 4 + 15) / 16 * 16) + 16;  // rounded queries
}

void PagedAttentionRef(const PagedAttention& a, float* /*scratch*/, float* out, std::int64_t out_stride) {
  for (std::int64_t r = 0; r < a.rows; ++r) {
    for (std::int64_t g = 0; g < a.group; ++g) {
      const std::int64_t positions = a.context + r;
      const Sum sum = Attend(a, a.q + r * a.q_stride + g * a.kv.head_dim, a.first(positions), positions);
      for (std::int64_t i = 0; i < a.kv.head_dim; ++i) {
        out[r * out_stride + g * a.kv.head_dim + i] =
            static_cast<float>(sum.values[static_cast<std::size_t>(i)] / sum.weights);
      }
    }
  }
}

void AttentionSpanRef(const PagedAttention& a, std::int64_t span, float* /*scratch*/, float* part) {
  const std::int64_t begin = span * SpanTokens(a.kv.block_size), end = begin + SpanTokens(a.kv.block_size);
  for (std::int64_t g = 0; g < a.group; ++g, part += PartFloats(a.kv.head_dim)) {
    const Sum sum = Attend(a, a.q + g * a.kv.head_dim, std::max(begin, a.first(a.context)), std::min(end, a.context));
    std::copy(sum.values.begin(), sum.values.end(), part);
    part[a.kv.head_dim] = static_cast<float>(sum.best);
    part[a.kv.head_dim + 1] = static_cast<float>(sum.weights);
  }
}

void JoinSpansRef(const float* parts, std::int64_t spans, std::int64_t group, std::int64_t head_dim, float* out) {
  const std::int64_t stride = PartFloats(head_dim);
  for (std::int64_t g = 0; g < group; ++g, parts += stride, out += head_dim) {
    const auto part = [&](std::int64_t span, std::int64_t i) {
      return static_cast<double>(parts[span * group * stride + i]);
    };
    double best = -std::numeric_limits<double>::infinity(), weights = 0.0;
    for (std::int64_t s = 0; s < spans; ++s) best = std::max(best, part(s, head_dim));
    for (std::int64_t s = 0; s < spans; ++s) weights += part(s, head_dim + 1) * std::exp(part(s, head_dim) - best);
    for (std::int64_t i = 0; i < head_dim; ++i) {
      double sum = 0.0;
      for (std::int64_t s = 0; s < spans; ++s) sum += part(s, i) * std::exp(part(s, head_dim) - best);
      out[i] = static_cast<float>(sum / weights);
    }
  }
}

}  // namespace kernels
