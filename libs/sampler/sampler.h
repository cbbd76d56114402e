#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace sampler {

// REQUIRES of every field: within the bounds; the engine checks requests before they come here.
struct SamplerOptions {
  float temperature = 0.0F;         // 0: greedy; [0, 10]
  std::int32_t top_k = 0;           // 0: off
  float top_p = 1.0F;               // (0, 1]
  float min_p = 0.0F;               // [0, 1)
  float repetition_penalty = 1.0F;  // (0, 10]
  std::uint64_t seed = 0;
};

// Working memory of one thread's samplers, so that a sequence does not hold a copy of the vocabulary.
struct SamplerScratch {
  struct Candidate {
    float logit = 0;
    std::int32_t token = 0;
    double weight = 0;  // relative to the best token's
  };
  std::vector<float> logits;
  std::vector<Candidate> candidates;
};

// Picks the tokens of one sequence:
//   logits -> repetition penalty -> temperature -> top-k -> top-p -> min-p -> draw
// - repetition penalty (CTRL, Keskar et al. 2019): the logit of each token that stands in the prompt or the answer is
//   divided by it when positive and multiplied when negative, once however often the token stands there;
// - top-k keeps the k best, top-p (nucleus, Holtzman et al. 2020) the fewest whose probability reaches p, min-p (Nguyen
//   et al. 2024) those with at least min_p times the best one's probability. At least one token always stays. Of equal
//   logits the lower token id counts as better.
// - the draw for the n-th token is a pure function of seed and n: same seed, same tokens, whatever else is in the
// batch.
//   It walks the kept tokens in ascending token id, whatever cut left them there, so that another sampler picks the
//   same (the device's: kernels/sampling/sample_gpu.h).
//
// Threading: confined to one sequence's thread.
class Sampler {
 public:
  // `prompt` is read only here. Token ids outside [0, vocabulary) are ignored.
  Sampler(const SamplerOptions& options, std::span<const std::int32_t> prompt, std::int32_t vocabulary);

  // The next token. DataLoss (permanent, this sequence only): a logit is NaN or +infinity, or all are -infinity; the
  // weights or the computation are damaged, and any choice would be noise.
  //   logits : [vocabulary]
  absl::StatusOr<std::int32_t> Sample(std::span<const float> logits, SamplerScratch& scratch);

 private:
  std::span<const float> Penalise(std::span<const float> logits, SamplerScratch& scratch) const;
  std::int32_t Draw(std::span<const float> logits, float best, SamplerScratch& scratch) const;
  void Remember(std::int32_t token);

  const SamplerOptions options_;
  std::uint64_t drawn_ = 0;  // tokens picked
  std::vector<bool> seen_;   // [vocabulary], only with a penalty
  std::vector<std::int32_t> seen_tokens_;
};

}  // namespace sampler
