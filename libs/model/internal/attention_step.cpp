#include "libs/model/internal/attention_step.h"

#include <algorithm>

namespace model {
namespace {

constexpr std::int64_t kTasksPerThread = 8;  // so that the last ones end at about the same time
constexpr std::int64_t kTileRowsMin = 8;     // smaller tiles read keys and values too often
constexpr std::int64_t kPartsMax = 1024;     // spans of all split rows: 128 Ki positions

std::int64_t Rounded(std::int64_t floats) { return (floats + 15) / 16 * 16; }

}  // namespace

AttentionStep::AttentionStep(const kernels::CpuKernels& kernels, kernels::ThreadPool& threads,
                             const AttentionShape& shape, std::int32_t rows_max)
    : kernels_(kernels),
      threads_(threads),
      shape_(shape),
      group_(shape.heads / shape.kv_heads),
      tasks_wanted_(kTasksPerThread * threads.threads()),
      spans_left_(static_cast<std::size_t>(tasks_wanted_)),  // split rows have fewer tiles
      scratch_floats_(Rounded(kernels::AttentionScratchFloats(shape.head_dim))),
      scratch_(scratch_floats_ * threads.threads()),
      parts_(kPartsMax * shape.heads * kernels::PartFloats(shape.head_dim)) {
  tasks_.reserve(static_cast<std::size_t>(rows_max + kPartsMax));
  split_rows_.reserve(static_cast<std::size_t>(tasks_wanted_));
}

void AttentionStep::Plan(const kvcache::StepBatch& batch, std::int64_t window) {
  tasks_.clear();
  split_rows_.clear();
  parts_used_ = 0;
  // As large as a call takes, unless that makes fewer tasks than wanted.
  const std::int64_t rows_apart = std::int64_t{batch.rows()} * shape_.kv_heads / tasks_wanted_;
  const std::int64_t rows_max =
      std::min(std::max(rows_apart, kTileRowsMin), std::max<std::int64_t>(kernels::kQueriesMax / group_, 1));
  const auto rows_of = [&](std::int32_t s) {
    const auto at = static_cast<std::size_t>(s);
    return std::int64_t{batch.row_begin[at + 1] - batch.row_begin[at]};
  };
  std::int64_t tiles = 0;
  for (std::int32_t s = 0; s < batch.sequences(); ++s) tiles += (rows_of(s) + rows_max - 1) / rows_max;
  const bool few = threads_.threads() > 1 && tiles * shape_.kv_heads < tasks_wanted_;

  for (std::int32_t s = 0; s < batch.sequences(); ++s) {
    const std::int64_t begin = batch.row_begin[static_cast<std::size_t>(s)], rows = rows_of(s);
    for (std::int64_t done = 0; done < rows; done += rows_max) {
      const Task tile{.row = begin + done,
                      .context = batch.positions[static_cast<std::size_t>(begin + done)] + 1,
                      .rows = std::min(rows_max, rows - done),
                      .block_ids = batch.block_ids.data() + batch.block_begin[static_cast<std::size_t>(s)]};
      if (!few || tile.rows > 1 || !Split(tile, window)) tasks_.push_back(tile);
    }
  }
}

// The spans of a single row in the place of its tile. False: there is but one, or no memory for their parts.
bool AttentionStep::Split(const Task& tile, std::int64_t window) {
  const std::int64_t tokens = kernels::SpanTokens(shape_.block_size);
  const std::int64_t begin = (window > 0 ? std::max<std::int64_t>(tile.context - window, 0) : 0) / tokens;
  const std::int64_t spans = (tile.context - 1) / tokens + 1 - begin;
  if (spans < 2 || parts_used_ + spans > kPartsMax) return false;
  const auto split = static_cast<std::int64_t>(split_rows_.size());
  split_rows_.push_back({.part_begin = parts_used_, .spans = spans});
  for (std::int64_t head = 0; head < shape_.kv_heads; ++head) {
    spans_left_[static_cast<std::size_t>(split * shape_.kv_heads + head)].store(static_cast<std::int32_t>(spans),
                                                                                std::memory_order_relaxed);
  }
  for (std::int64_t i = 0; i < spans; ++i) {
    Task task = tile;
    task.split = split;
    task.span = begin + i;
    task.part = parts_used_ + i;
    tasks_.push_back(task);
  }
  parts_used_ += spans;
  return true;
}

void AttentionStep::Run(const kvcache::StepBatch& batch, const Call& call) {
  Plan(batch, call.window);
  const std::int64_t count = static_cast<std::int64_t>(tasks_.size()) * shape_.kv_heads;
  threads_.Run(count,
               [&](std::int64_t i, int thread) {
                 kernels::PagedAttention attention = Describe(call, i), next;
                 if (i + 1 < count) {  // the pool gives a thread neighbours
                   next = Describe(call, i + 1);
                   const Task& task = tasks_[static_cast<std::size_t>((i + 1) / shape_.kv_heads)];
                   attention.next = &next;
                   attention.next_span =
                       task.split >= 0 ? task.span : next.first(next.context) / kernels::SpanTokens(shape_.block_size);
                 }
                 RunTask(attention, tasks_[static_cast<std::size_t>(i / shape_.kv_heads)], call, thread);
               },
               {"attention", "", batch.rows()});
}

// head_task: a task of one key/value head, [tasks][kv_heads].
kernels::PagedAttention AttentionStep::Describe(const Call& call, std::int64_t head_task) const {
  const Task& task = tasks_[static_cast<std::size_t>(head_task / shape_.kv_heads)];
  const std::int64_t kv_head = head_task % shape_.kv_heads;
  return {.kv = call.kv,
          .kv_head = kv_head,
          .block_ids = task.block_ids,
          .context = task.context,
          .rows = task.rows,
          .group = group_,
          .scale = call.scale,
          .window = call.window,
          .q = call.q + task.row * call.q_stride + kv_head * group_ * shape_.head_dim,
          .q_stride = call.q_stride};
}

void AttentionStep::RunTask(const kernels::PagedAttention& attention, const Task& task, const Call& call, int thread) {
  const std::int64_t kv_head = attention.kv_head, head = kv_head * group_ * shape_.head_dim,
                     out_stride = std::int64_t{shape_.heads} * shape_.head_dim;
  float* scratch = scratch_.data() + thread * scratch_floats_;
  float* out = call.out + task.row * out_stride + head;
  if (task.split < 0) return kernels_.paged_attention(attention, scratch, out, out_stride);

  // [kv_heads][parts of the row], so that the parts of a head lie together.
  const SplitRow& split = split_rows_[static_cast<std::size_t>(task.split)];
  const std::int64_t part_floats = group_ * kernels::PartFloats(shape_.head_dim);
  float* parts = parts_.data() + (split.part_begin * shape_.kv_heads + kv_head * split.spans) * part_floats;
  kernels_.attention_span(attention, task.span, scratch, parts + (task.part - split.part_begin) * part_floats);
  auto& left = spans_left_[static_cast<std::size_t>(task.split * shape_.kv_heads + kv_head)];
  if (left.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
  kernels_.join_spans(parts, split.spans, group_, shape_.head_dim, out);
}

}  // namespace model
