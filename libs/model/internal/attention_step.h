#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "kernels/primitives/cpu_kernels.h"
#include "kernels/primitives/thread_pool.h"
#include "libs/kvcache/step_batch.h"
#include "libs/model/internal/aligned_array.h"

namespace model {

struct AttentionShape {
  std::int32_t heads = 0, kv_heads = 0, head_dim = 0, block_size = 0;
};

// The attention of a step's rows in one layer, cut into tasks for the threads: tiles of neighbouring rows of a
// sequence, which read keys and values once; and where there are too few of those to keep the threads busy, smaller
// tiles, and the spans of a single row's long context apart. None of this changes a bit of the result
// (kernels/attention).
//
// Ownership: scratch memory of each thread and the parts of split rows, allocated by the constructor.
// Threading: one thread at a time, which the pool helps.
class AttentionStep {
 public:
  AttentionStep(const kernels::CpuKernels& kernels, kernels::ThreadPool& threads, const AttentionShape& shape,
                std::int32_t rows_max);

  struct Call {
    kernels::PagedKv kv;  // with the step's keys and values stored
    float scale;
    std::int64_t window;  // kernels::PagedAttention
    const float* q;       // [rows] of q_stride floats, which begin with [heads][head_dim]
    std::int64_t q_stride;
    float* out;  // [rows][heads][head_dim]
  };
  void Run(const kvcache::StepBatch& batch, const Call& call);

 private:
  // Rows [row, row + rows) of the step, or where split >= 0 one span of one row; for each key/value head.
  struct Task {
    std::int64_t row, context, rows;
    const std::uint32_t* block_ids;
    std::int64_t split = -1;  // in split_rows_
    std::int64_t span = 0, part = 0;
  };
  // A row whose spans are computed apart.
  struct SplitRow {
    std::int64_t part_begin, spans;
  };

  void Plan(const kvcache::StepBatch& batch, std::int64_t window);
  bool Split(const Task& tile, std::int64_t window);
  kernels::PagedAttention Describe(const Call& call, std::int64_t head_task) const;
  void RunTask(const kernels::PagedAttention& attention, const Task& task, const Call& call, int thread);

  const kernels::CpuKernels& kernels_;
  kernels::ThreadPool& threads_;
  const AttentionShape shape_;
  const std::int64_t group_, tasks_wanted_;

  std::vector<Task> tasks_;
  std::vector<SplitRow> split_rows_;
  std::int64_t parts_used_ = 0;
  std::vector<std::atomic<std::int32_t>> spans_left_;  // [split rows][kv_heads]; who takes the last one joins them
  std::int64_t scratch_floats_;
  AlignedFloats scratch_;  // [threads][scratch_floats_]
  AlignedFloats parts_;    // [split rows][kv_heads][spans][group][PartFloats]
};

}  // namespace model
