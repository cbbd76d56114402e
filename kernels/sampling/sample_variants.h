#pragma once

#include "kernels/sampling/sample_gpu.h"

namespace kernels::gpu {

// How the rows are cut for the card: blocks of `threads` (256 or 512), which read `run` slices of a row, each of
// `vectors` (2, 4 or 8) times four logits a thread. For benchmarks and tests; RunSample chooses by itself.
struct SampleVariant {
  std::int32_t threads, vectors;
  std::int32_t run = 1;
  friend bool operator==(const SampleVariant&, const SampleVariant&) = default;
};
LaunchResult RunSampleVariant(const Sample& sample, const SampleVariant& variant, Stream stream);
std::int64_t SampleVariantWorkspaceBytes(std::int32_t rows_max, std::int32_t vocabulary, const SampleVariant& variant);

// What RunSample takes.
SampleVariant ChooseSampleVariant(std::int32_t rows, std::int32_t vocabulary);

}  // namespace kernels::gpu
