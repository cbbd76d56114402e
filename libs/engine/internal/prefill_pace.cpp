#include "libs/engine/internal/prefill_pace.h"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace engine {

void PrefillPace::Observe(std::int32_t decode_rows, std::int32_t prefill_rows, double seconds) {
  const auto take = [](double& smoothed, double value) {
    smoothed = smoothed == 0 ? value : smoothed + kNewest * (value - smoothed);
  };
  if (decode_rows > 0)
    decode_bucket_ = static_cast<std::size_t>(std::bit_width(static_cast<unsigned>(decode_rows))) - 1;
  if (prefill_rows == 0) {
    if (decode_rows > 0) take(decode_seconds_[decode_bucket_], seconds);
    return;
  }
  const double decodes = decode_rows > 0 ? DecodeSeconds() : 0;
  if (prefill_rows < kRowsTelling || (decode_rows > 0 && decodes == 0)) return;
  // Decodes and chunk read the weights together, so that a chunk may seem to cost less than nothing.
  constexpr double kShareMin = 0.05;
  take(row_seconds_, std::max(seconds - decodes, kShareMin * seconds) / prefill_rows);
}

// Of the nearest number of rows that was seen: a few more rows cost little, since a step reads the same weights.
double PrefillPace::DecodeSeconds() const {
  for (std::size_t distance = 0; distance < decode_seconds_.size(); ++distance) {
    for (const std::size_t bucket : {decode_bucket_ - distance, decode_bucket_ + distance}) {
      if (bucket < decode_seconds_.size() && decode_seconds_[bucket] > 0) return decode_seconds_[bucket];
    }
  }
  return 0;
}

std::int32_t PrefillPace::rows_max() const {
  const double decodes = DecodeSeconds();
  double rows = kRowsAtFirst;
  if (decodes > 0 && row_seconds_ > 0) rows = kChunkOfStep * decodes / row_seconds_;
  const auto bounded = static_cast<std::int32_t>(std::clamp<double>(rows, kRowsMin, 1 << 16));
  return std::min(bounded, step_tokens_max_);
}

}  // namespace engine
