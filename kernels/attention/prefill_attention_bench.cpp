#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/attention/prefill_attention_gpu.h"
#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {

namespace {

// A step of `sequences` chunks of `rows` tokens each, behind `start` tokens that lie in the cache.
struct Workload {
  std::int32_t head_dim, sequences, start, rows;
  std::int32_t block_size = 16;
  KvFormat format = KvFormat::kBf16;
};
constexpr std::int32_t kHeads = 32, kKvHeads = 8;

template <typename T>
const T* Upload(Bench& bench, const std::vector<T>& values) {
  void* device = bench.Zeros(static_cast<std::int64_t>(values.size() * sizeof(T)));
  if (!CopyToDevice(device, values.data(), values.size() * sizeof(T), bench.stream()).ok() ||
      !Synchronize(bench.stream()).ok()) {
    std::fprintf(stderr, "prefill_attention: upload failed\n");
  }
  return static_cast<const T*>(device);
}

PrefillAttention Prepare(Bench& bench, const Workload& work) {
  const std::int32_t context = work.start + work.rows;
  const std::int32_t blocks_each = (context + work.block_size - 1) / work.block_size;
  const std::int32_t blocks = blocks_each * work.sequences, rows = work.rows * work.sequences;
  std::vector<std::int32_t> positions, row_begin, block_begin;
  for (std::int32_t s = 0; s <= work.sequences; ++s) {
    row_begin.push_back(s * work.rows);
    block_begin.push_back(s * blocks_each);
    for (std::int32_t row = 0; s < work.sequences && row < work.rows; ++row) positions.push_back(work.start + row);
  }
  std::vector<std::uint32_t> block_ids(static_cast<std::size_t>(blocks));
  std::iota(block_ids.begin(), block_ids.end(), 0U);
  std::shuffle(block_ids.begin(), block_ids.end(), std::mt19937(1));  // as after hours of serving

  const std::int64_t kv_values = std::int64_t{blocks} * kKvHeads * work.block_size * work.head_dim;
  const std::int32_t q_stride = (kHeads + 2 * kKvHeads) * work.head_dim;  // a row of the joined product for q, k and v
  const auto kv = [&] { return work.format == KvFormat::kBf16 ? bench.RandomBf16(kv_values) : bench.Zeros(kv_values); };
  PrefillAttention a{};
  a.q = static_cast<const Bf16*>(bench.RandomBf16(std::int64_t{rows} * q_stride));
  a.q_stride = q_stride;
  a.kv = {kv(), kv(), work.format, blocks, kKvHeads, work.block_size, work.head_dim};
  a.rows = {Upload(bench, positions),
            Upload(bench, row_begin),
            Upload(bench, block_begin),
            Upload(bench, block_ids),
            rows,
            work.sequences};
  a.heads = kHeads;
  a.chunk_max = work.rows;
  a.scale = 1.0F / std::sqrt(static_cast<float>(work.head_dim));
  a.y = static_cast<Bf16*>(bench.Zeros(std::int64_t{rows} * kHeads * work.head_dim * 2));
  return a;
}

void BenchWorkload(Bench& bench, const Workload& work,
                   const std::vector<std::pair<PrefillVariant, const char*>>& variants) {
  PrefillAttention a = Prepare(bench, work);
  const double rows = static_cast<double>(work.rows) * work.sequences;
  // Pairs of a query and a key it attends to; the two products are two operations a pair and dimension each.
  const double pairs = rows * (work.start + 0.5 * work.rows);
  const double flops = 4.0 * pairs * work.head_dim * kHeads;
  const double kv_rows = static_cast<double>(work.start + work.rows) * work.sequences;
  const double bytes = 2.0 * rows * kHeads * work.head_dim * 2 +
                       2.0 * kv_rows * kKvHeads * work.head_dim * static_cast<double>(KvBytes(work.format));
  const std::string shape = std::to_string(work.sequences) + "x" + std::to_string(work.rows) + " after " +
                            std::to_string(work.start) + ", d" + std::to_string(work.head_dim) + ", blocks of " +
                            std::to_string(work.block_size) + (work.format == KvFormat::kFp8 ? ", fp8" : "");
  for (const auto& [variant, name] : variants) {
    a.variant = variant;
    if (!RunPrefillAttention(a, bench.stream()).ok()) continue;  // not on this card, or not for this shape
    const double seconds =
        bench.Time([&](int) { return RunPrefillAttention(a, bench.stream()); }, bench.quick() ? 5 : 10);
    bench.Row(std::string("prefill_attention ") + name, shape, seconds, bytes, flops);
  }
  bench.FreeAll();
}

}  // namespace

// K and V of 8,192 tokens are read from the L2 cache many times a call whatever lay there before, so one set of buffers
// will do.
void BenchPrefillAttention(Bench& bench) {
  const std::vector<std::pair<PrefillVariant, const char*>> all = {
      {PrefillVariant::kBest, "best"},
      {PrefillVariant::kWarp, "mma.sync"},
      {PrefillVariant::kWarpgroup, "wgmma"},
      {PrefillVariant::kWarpgroupPingPong, "wgmma ping-pong"},
  };
  for (const std::int32_t head_dim : {128, 64}) BenchWorkload(bench, {head_dim, 1, 0, 8192}, all);
  BenchWorkload(bench, {128, 4, 6144, 512}, all);
  if (bench.quick()) return;
  BenchWorkload(bench, {128, 1, 0, 8192, 128}, all);
  BenchWorkload(bench, {128, 16, 0, 512}, all);
  BenchWorkload(bench, {128, 32, 4096, 16}, all);
  for (const std::int32_t head_dim : {96, 256}) BenchWorkload(bench, {head_dim, 1, 0, 4096}, {all[0]});
  BenchWorkload(bench, {128, 1, 0, 4096, 16, KvFormat::kFp8}, {all[0]});
}

}  // namespace kernels::gpu
