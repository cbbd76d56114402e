#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/primitives/thread_pool.h"

namespace model {

// Fewer rows than this are not worth the launch of a row-wise function on several threads.
inline constexpr std::int64_t kRowsPerTask = 8;

constexpr std::int64_t RowTasks(std::int64_t rows) { return (rows + kRowsPerTask - 1) / kRowsPerTask; }

// Calls body(row, thread) for each of a step's rows on the pool's threads. Every row-wise function goes through here,
// so that the same thread gets the same rows each time (kernels::ThreadPool).
template <typename Body>
void ForRows(kernels::ThreadPool& threads, std::int64_t rows, const Body& body, const kernels::LaunchLabel& label) {
  threads.Run(
      RowTasks(rows),
      [&](std::int64_t task, int thread) {
        const std::int64_t end = std::min(rows, (task + 1) * kRowsPerTask);
        for (std::int64_t row = task * kRowsPerTask; row < end; ++row) body(row, thread);
      },
      label);
}

}  // namespace model
