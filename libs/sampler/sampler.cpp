#include "libs/sampler/sampler.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "libs/base/check.h"
#include "libs/sampler/philox.h"

namespace sampler {
namespace {

using Candidate = SamplerScratch::Candidate;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A token of less weight than this, relative to the best, is left out: all of a vocabulary of such tokens have less
// probability than the draw's resolution of 2^-53.
constexpr double kWeightMin = 1e-22;

bool Better(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

struct Extent {
  float best = -kInfinity;
  bool finite = true;          // no NaN and no +infinity
  std::size_t best_after = 0;  // the first of the best is at this index or later, with no equal one before
};

// In independent lanes, which the compiler turns into vector instructions; a plain running maximum it may not reorder.
Extent ScanRun(std::span<const float> logits) {
  constexpr std::size_t kLanes = 16;
  std::array<float, kLanes> best;
  std::array<std::int32_t, kLanes> bad{};
  best.fill(-kInfinity);
  std::size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float logit = logits.data()[i + lane];
      best.data()[lane] = logit > best.data()[lane] ? logit : best.data()[lane];
      bad.data()[lane] |= logit < kInfinity ? 0 : 1;
    }
  }
  Extent extent;
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    extent.best = std::max(extent.best, best[lane]);
    extent.finite = extent.finite && bad[lane] == 0;
  }
  for (; i < logits.size(); ++i) {
    extent.best = std::max(extent.best, logits[i]);
    extent.finite = extent.finite && logits[i] < kInfinity;
  }
  return extent;
}

// Run by run, so that whoever wants to know where the best is need look through one run only.
Extent Scan(std::span<const float> logits) {
  constexpr std::size_t kRun = 1024;
  Extent extent;
  for (std::size_t begin = 0; begin < logits.size(); begin += kRun) {
    const Extent run = ScanRun(logits.subspan(begin, std::min(kRun, logits.size() - begin)));
    extent.finite = extent.finite && run.finite;
    if (run.best > extent.best) extent = {run.best, extent.finite, begin};
  }
  return extent;
}

double TotalWeight(std::span<const Candidate> candidates) {
  double total = 0.0;
  for (const Candidate& candidate : candidates) total += candidate.weight;
  return total;
}

void KeepTopK(std::vector<Candidate>& candidates, std::int32_t top_k) {
  const auto kept = static_cast<std::size_t>(top_k);
  if (top_k == 0 || kept >= candidates.size()) return;
  std::nth_element(candidates.begin(), candidates.begin() + top_k, candidates.end(), Better);
  candidates.resize(kept);
}

void KeepTopP(std::vector<Candidate>& candidates, float top_p) {
  if (top_p >= 1.0F) return;
  const double total = TotalWeight(candidates);
  const double wanted = static_cast<double>(top_p) * total;
  // All that are lighter than this weigh less together than what top_p leaves out, so none of them is kept: sorting a
  // whole vocabulary would take longer than a small model's forward pass.
  const double weight_min = (total - wanted) / static_cast<double>(candidates.size());
  std::erase_if(candidates, [weight_min](const Candidate& candidate) { return candidate.weight < weight_min; });
  std::sort(candidates.begin(), candidates.end(), Better);
  double reached = 0.0;
  std::size_t kept = 0;
  while (kept < candidates.size() && (kept == 0 || reached < wanted)) reached += candidates[kept++].weight;
  candidates.resize(kept);
}

void KeepMinP(std::vector<Candidate>& candidates, float min_p) {
  // The best token's weight is 1, so weights are already relative to it.
  std::erase_if(candidates, [&](const Candidate& candidate) { return candidate.weight < static_cast<double>(min_p); });
}

// The cuts leave the candidates in an order that only their algorithms know.
void OrderByToken(std::vector<Candidate>& candidates) {
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.token < b.token; });
}

}  // namespace

Sampler::Sampler(const SamplerOptions& options, std::span<const std::int32_t> prompt, std::int32_t vocabulary)
    : options_(options) {
  CHECK(vocabulary > 0);
  if (options_.repetition_penalty == 1.0F) return;
  seen_.resize(static_cast<std::size_t>(vocabulary), false);
  for (std::int32_t token : prompt) Remember(token);
}

void Sampler::Remember(std::int32_t token) {
  const auto index = static_cast<std::size_t>(token);
  if (token < 0 || index >= seen_.size() || seen_[index]) return;
  seen_[index] = true;
  seen_tokens_.push_back(token);
}

std::span<const float> Sampler::Penalise(std::span<const float> logits, SamplerScratch& scratch) const {
  if (options_.repetition_penalty == 1.0F) return logits;
  scratch.logits.assign(logits.begin(), logits.end());
  for (std::int32_t token : seen_tokens_) {
    float& logit = scratch.logits[static_cast<std::size_t>(token)];
    // A penalty close to 0 must not make an infinity of a good logit.
    logit = logit > 0.0F ? std::min(logit / options_.repetition_penalty, std::numeric_limits<float>::max())
                         : logit * options_.repetition_penalty;
  }
  return scratch.logits;
}

absl::StatusOr<std::int32_t> Sampler::Sample(std::span<const float> logits, SamplerScratch& scratch) {
  const std::span<const float> penalised = Penalise(logits, scratch);
  const Extent extent = Scan(penalised);
  if (!extent.finite || extent.best == -kInfinity) {
    return absl::DataLossError("the model gave logits that are not finite; its weights may be damaged");
  }
  const auto first_best = [&] {
    const auto from = penalised.begin() + static_cast<std::ptrdiff_t>(extent.best_after);
    return static_cast<std::int32_t>(std::find(from, penalised.end(), extent.best) - penalised.begin());
  };
  const std::int32_t token = options_.temperature == 0.0F ? first_best() : Draw(penalised, extent.best, scratch);
  ++drawn_;
  Remember(token);
  return token;
}

std::int32_t Sampler::Draw(std::span<const float> logits, float best, SamplerScratch& scratch) const {
  std::vector<Candidate>& candidates = scratch.candidates;
  candidates.clear();
  const double inverse_temperature = 1.0 / static_cast<double>(options_.temperature);
  const double logit_min = static_cast<double>(best) + std::log(kWeightMin) * static_cast<double>(options_.temperature);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (static_cast<double>(logits[i]) < logit_min) continue;
    const double below_best = static_cast<double>(logits[i]) - static_cast<double>(best);
    candidates.push_back({logits[i], static_cast<std::int32_t>(i), std::exp(below_best * inverse_temperature)});
  }
  KeepTopK(candidates, options_.top_k);
  KeepTopP(candidates, options_.top_p);
  KeepMinP(candidates, options_.min_p);
  if (options_.top_k != 0 || options_.top_p < 1.0F) OrderByToken(candidates);

  double left = Uniform(options_.seed, drawn_) * TotalWeight(candidates);
  for (const Candidate& candidate : candidates) {
    left -= candidate.weight;
    if (left < 0.0) return candidate.token;
  }
  return candidates.back().token;  // rounding ate the last bit of the total
}

}  // namespace sampler
