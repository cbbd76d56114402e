#include "libs/base/backoff.h"

#include <algorithm>

#include "libs/base/check.h"

namespace base {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): enough mixing for jitter, no state.
std::uint64_t Mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

Duration BackoffDelay(int attempt, Duration initial, Duration max, std::uint64_t seed) {
  CHECK(attempt >= 1);
  CHECK(initial.count() > 0 && max >= initial);
  Duration delay = initial;
  for (int i = 1; i < attempt && delay < max; ++i) delay *= 2;
  delay = std::min(delay, max);
  const double unit = static_cast<double>(Mix(seed ^ static_cast<std::uint64_t>(attempt)) >> 11) / 9007199254740992.0;
  const double factor = 0.75 + 0.5 * unit;
  return Duration(static_cast<std::int64_t>(static_cast<double>(delay.count()) * factor));
}

}  // namespace base
