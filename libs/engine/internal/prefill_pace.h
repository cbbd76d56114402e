#pragma once

#include <array>
#include <cstdint>

namespace engine {

// How many rows of prompts a step takes in while other sequences decode, from how long steps took.
//
// With t the time of a step that only decodes and c what its chunk adds, decoding sequences see (t + c) / t of their
// time between tokens, and the prompt takes (t + c) / c of its time alone. Both are bounded by keeping c / t at
// kChunkOfStep.
//
// What is measured is smoothed, and answers do not depend on it: rows have the same bits however a prompt is cut.
// Threading: confined to the loop thread.
class PrefillPace {
 public:
  explicit PrefillPace(std::int32_t step_tokens_max) : step_tokens_max_(step_tokens_max) {}

  // A step of so many rows took so long.
  void Observe(std::int32_t decode_rows, std::int32_t prefill_rows, double seconds);

  // In [kRowsMin, step_tokens_max], or step_tokens_max when that is less.
  std::int32_t rows_max() const;

 private:
  static constexpr double kChunkOfStep = 1.5;
  static constexpr double kNewest = 0.2;       // weight of the latest step
  static constexpr std::int32_t kRowsMin = 8;  // below, products over a chunk waste most of their reading
  static constexpr std::int32_t kRowsAtFirst = 64;
  static constexpr std::int32_t kRowsTelling = 8;  // of a chunk that is measured; the time of fewer is all noise

  double DecodeSeconds() const;  // of a step like the last ones; 0: not known

  const std::int32_t step_tokens_max_;
  std::array<double, 32> decode_seconds_{};  // of steps of [2^i, 2^(i+1)) rows that only decode; 0: not seen
  std::size_t decode_bucket_ = 0;            // of the last step
  double row_seconds_ = 0;                   // what a row of a chunk adds; 0: not seen
};

}  // namespace engine
