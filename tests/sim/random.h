#pragma once

#include <cstdint>

#include "libs/base/clock.h"

namespace sim {

// The only source of chance in a schedule: equal seeds give equal schedules, on every machine (SplitMix64; the
// distributions of <random> differ between libraries).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  std::uint64_t Below(std::uint64_t end) { return Next() % end; }  // REQUIRES: end > 0
  bool Chance(double probability) { return static_cast<double>(Next() >> 11) * 0x1.0p-53 < probability; }
  base::Duration UpTo(base::Duration max) {
    return base::Duration(static_cast<std::int64_t>(Below(static_cast<std::uint64_t>(max.count()) + 1)));
  }
  base::Duration Between(base::Duration min, base::Duration max) { return min + UpTo(max - min); }

 private:
  std::uint64_t state_;
};

}  // namespace sim
