#include "libs/model/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

#include "kernels/primitives/cpu_kernels.h"
#include "kernels/primitives/thread_pool.h"

namespace model {
namespace {

constexpr std::int64_t kRounds = 200'000;
constexpr std::size_t kMemoryBytes = std::size_t{1} << 30;
constexpr int kRepeats = 5;  // the best counts: whatever else runs can only take away

template <typename Body>
double BestSeconds(const Body& body) {
  double best = 1e9;
  for (int i = 0; i < kRepeats; ++i) {
    const auto began = std::chrono::steady_clock::now();
    body();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  return best;
}

// Kept so that the compiler can't drop the work; every thread writes it.
std::atomic<std::int64_t> kept_result;

std::int64_t SumOf(const std::uint64_t* words, std::size_t count) {
  std::uint64_t sums[16] = {};
  for (std::size_t i = 0; i + 16 <= count; i += 16) {
    for (std::size_t lane = 0; lane < 16; ++lane) sums[lane] += words[i + lane];
  }
  std::uint64_t sum = 0;
  for (std::uint64_t lane : sums) sum += lane;
  return static_cast<std::int64_t>(sum);
}

}  // namespace

MachineLimits MeasureMachineLimits(int threads) {
  const kernels::CpuKernels& kernels = kernels::BestCpuKernels();
  kernels::ThreadPool pool(threads);
  MachineLimits limits{.target = kernels.name};
  const double dot_seconds =
      BestSeconds([&] { pool.Run(threads, [&](std::int64_t, int) { kept_result = kernels.dot_rounds(kRounds); }); });
  limits.int8_ops =
      static_cast<double>(threads) * static_cast<double>(kRounds * kernels.dot_round_operations) / dot_seconds;

  std::vector<std::uint64_t> memory(kMemoryBytes / sizeof(std::uint64_t), 1);
  const std::size_t share = memory.size() / static_cast<std::size_t>(threads);
  const double read_seconds = BestSeconds([&] {
    pool.Run(threads, [&](std::int64_t task, int) {
      kept_result = SumOf(memory.data() + static_cast<std::size_t>(task) * share, share);
    });
  });
  limits.memory_bytes = static_cast<double>(share * sizeof(std::uint64_t)) * threads / read_seconds;
  return limits;
}

}  // namespace model
