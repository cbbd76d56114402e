#pragma once

#include <cstdint>

#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// One sequence's sampling parameters (meaning and bounds: libs/sampler/sampler.h), in device memory, because a captured
// graph serves steps with different ones.
struct SampleParams {
  float temperature;         // 0: greedy
  std::int32_t top_k;        // 0: off
  float top_p, min_p;        // 1, 0: off
  float repetition_penalty;  // 1: off
  std::uint32_t draw;        // number of the token to draw: 0, 1, ...
  std::uint64_t seed;
};

inline constexpr std::int32_t kLogprobsMax = 20;

// Picks one token a row:  logits -> repetition penalty -> temperature -> top-k -> top-p -> min-p -> draw, as the
// sampler on the host does, with the same random numbers (Philox4x32-10), so that both pick the same token but where
// two candidates' sums differ by rounding alone.
//   logits   : [rows][stride]; the first `vocabulary` of each row are read, and changed where a penalty asks for it
//   params   : [rows]
//   seen     : [rows] pointers to bit sets of ceil(vocabulary / 32) words: tokens of prompt and answer; nullptr where
//              the row has no penalty. The token picked is added.
//   tokens   : [rows] the picks; -1: a logit is NaN or +infinity, or all are -infinity
//   logprobs : [rows][1 + kLogprobsMax] log-probability of the pick, then of the best `logprobs_count`, and their
//              tokens in logprob_tokens [rows][kLogprobsMax]; of the penalised distribution at temperature 1. nullptr:
//              none wanted.
//   workspace: SampleWorkspaceBytes for at least these rows and exactly this vocabulary (a smaller one may need more
//              bytes: its slices are cut otherwise), aligned to 16 bytes, zero before the first launch
struct Sample {
  float* logits;
  std::int32_t rows, stride, vocabulary;
  const SampleParams* params;
  std::uint32_t* const* seen;
  std::int32_t* tokens;
  float* logprobs;
  std::int32_t* logprob_tokens;
  std::int32_t logprobs_count;
  void* workspace;
};
LaunchResult RunSample(const Sample& sample, Stream stream);

// For launches of up to rows_max rows over the first `vocabulary` logits. Not monotonic in the vocabulary.
std::int64_t SampleWorkspaceBytes(std::int32_t rows_max, std::int32_t vocabulary);

}  // namespace kernels::gpu
