#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/primitives/gpu/bench.h"
#include "kernels/rope/rope.h"
#include "kernels/rope/rope_store_gpu.h"

namespace kernels::gpu {
namespace {

constexpr std::int32_t kBlockSize = 16, kPositions = 1024;

template <typename T>
T* Upload(Bench& bench, const std::vector<T>& values) {
  const std::size_t bytes = values.size() * sizeof(T);
  auto* memory = static_cast<T*>(bench.Zeros(static_cast<std::int64_t>(bytes)));
  const LaunchResult copied = CopyToDevice(memory, values.data(), bytes, bench.stream());
  const LaunchResult done = Synchronize(bench.stream());
  if (!copied.ok() || !done.ok()) throw std::runtime_error("upload failed");
  return memory;
}

struct Shape {
  std::int32_t heads, kv_heads, head_dim;
  KvFormat format;
  std::int32_t sequences, rows_of_sequence;  // all at the same positions, the last of which is 512

  std::int32_t rows() const { return sequences * rows_of_sequence; }
  std::int32_t blocks_of_sequence() const { return 512 / kBlockSize + 1; }
  // Q, K and V read; Q, K and V written; a row of the table for each distinct position.
  double bytes() const {
    const double read = 2.0 * (heads + 2 * kv_heads) * head_dim;
    const double written = 2.0 * heads * head_dim + 2.0 * kv_heads * head_dim * static_cast<double>(KvBytes(format));
    return rows() * (read + written) + 8.0 * rows_of_sequence * head_dim;
  }
  std::string text() const {
    return std::to_string(rows()) + " x " + std::to_string(heads) + "/" + std::to_string(kv_heads) + "/" +
           std::to_string(head_dim) + (format == KvFormat::kFp8 ? " FP8 cache" : " BF16 cache");
  }
};

StepRows MakeRows(Bench& bench, const Shape& shape, const std::int32_t** sequence_of_row) {
  std::vector<std::int32_t> positions, sequences, row_begin, block_begin;
  std::vector<std::uint32_t> block_ids;
  const auto blocks = static_cast<std::uint32_t>(shape.sequences * shape.blocks_of_sequence());
  for (std::int32_t sequence = 0; sequence < shape.sequences; ++sequence) {
    row_begin.push_back(sequence * shape.rows_of_sequence);
    block_begin.push_back(sequence * shape.blocks_of_sequence());
    for (std::int32_t row = 0; row < shape.rows_of_sequence; ++row) {
      positions.push_back(512 - shape.rows_of_sequence + 1 + row);
      sequences.push_back(sequence);
    }
  }
  row_begin.push_back(shape.rows());
  block_begin.push_back(static_cast<std::int32_t>(blocks));
  for (std::uint32_t i = 0; i < blocks; ++i) block_ids.push_back(blocks - 1 - i);
  *sequence_of_row = Upload(bench, sequences);
  return {.positions = Upload(bench, positions),
          .row_begin = Upload(bench, row_begin),
          .block_begin = Upload(bench, block_begin),
          .block_ids = Upload(bench, block_ids),
          .rows = shape.rows(),
          .sequences = shape.sequences};
}

void TimeShape(Bench& bench, const Shape& shape) {
  std::vector<float> table(static_cast<std::size_t>(kPositions) * 2 * static_cast<std::size_t>(shape.head_dim));
  FillRopeTable(kPositions, {.head_dim = shape.head_dim, .freq_base = 10000.0F}, table.data());
  const std::int32_t* sequence_of_row = nullptr;
  const StepRows rows = MakeRows(bench, shape, &sequence_of_row);
  const float* device_table = Upload(bench, table);
  const std::int32_t blocks_total = shape.sequences * shape.blocks_of_sequence();
  const std::int64_t pool_bytes =
      std::int64_t{blocks_total} * shape.kv_heads * kBlockSize * shape.head_dim * KvBytes(shape.format);
  // Many rows: buffers of four times the L2 cache in all. Few rows: what the product before has left in L2.
  const bool many = shape.rows() > 64;
  const double wanted = 4.0 * static_cast<double>(bench.device().l2_bytes);
  const int sets = many ? std::clamp(static_cast<int>(wanted / shape.bytes()) + 1, 2, 20) : 1;
  std::vector<RopeStore> ropes;
  for (int i = 0; i < sets; ++i) {
    const std::int64_t values = std::int64_t{shape.rows()} * (shape.heads + 2 * shape.kv_heads) * shape.head_dim;
    ropes.push_back({.qkv = static_cast<Bf16*>(bench.RandomBf16(values)),
                     .heads = shape.heads,
                     .table = device_table,
                     .table_positions = kPositions,
                     .rows = rows,
                     .sequence_of_row = sequence_of_row,
                     .kv = {.k = bench.Zeros(pool_bytes),
                            .v = bench.Zeros(pool_bytes),
                            .format = shape.format,
                            .blocks_total = blocks_total,
                            .kv_heads = shape.kv_heads,
                            .block_size = kBlockSize,
                            .head_dim = shape.head_dim}});
  }
  for (const bool settled : {false, true}) {
    for (RopeStore& rope : ropes) rope.rows_settled = settled;
    const double seconds = bench.Time(
        [&](int i) { return RunRopeStore(ropes[static_cast<std::size_t>(i) % ropes.size()], bench.stream()); });
    bench.Row(settled ? "rope_store settled" : "rope_store", shape.text(), seconds, many ? shape.bytes() : 0.0, 0.0);
  }
  bench.FreeAll();
}

}  // namespace

void BenchRopeStore(Bench& bench) {
  for (const KvFormat format : {KvFormat::kBf16, KvFormat::kFp8}) {
    TimeShape(bench, {32, 8, 128, format, 8, 512});
    TimeShape(bench, {9, 3, 64, format, 8, 512});
  }
  // The same narrow rows without the share of a kernel's start and end.
  TimeShape(bench, {9, 3, 64, KvFormat::kBf16, 128, 512});
  for (const std::int32_t rows : {1, 16, 64}) {
    TimeShape(bench, {32, 8, 128, KvFormat::kBf16, rows, 1});
    TimeShape(bench, {9, 3, 64, KvFormat::kBf16, rows, 1});
  }
}

}  // namespace kernels::gpu
