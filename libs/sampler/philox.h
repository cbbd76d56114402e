#pragma once

#include <array>
#include <cstdint>

namespace sampler {

// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): random bits as a pure function of
// a key and a counter. The draw for the n-th token of a seed needs no state, so it doesn't depend on what else runs,
// and a GPU computes the same.
std::array<std::uint32_t, 4> Philox4x32(std::uint64_t key, std::uint64_t counter);

// Uniform in [0, 1), 53 bits.
double Uniform(std::uint64_t seed, std::uint64_t draw);

}  // namespace sampler
