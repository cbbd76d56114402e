#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/kvcache/paged_kv_gpu.h"
#include "kernels/primitives/gpu/bench.h"

namespace kernels::gpu {
namespace {

// Keys and values of 32 layers with 8 heads of 128 in BF16, 16 tokens a block; 512 MiB in all.
constexpr std::int32_t kPlanes = 64, kBlocks = 256;
constexpr std::int64_t kBlockBytes = 8 * 16 * 128 * 2;

std::uint32_t* Upload(Bench& bench, const std::vector<std::uint32_t>& values) {
  const std::size_t bytes = values.size() * sizeof(std::uint32_t);
  auto* memory = static_cast<std::uint32_t*>(bench.Zeros(static_cast<std::int64_t>(bytes)));
  const LaunchResult copied = CopyToDevice(memory, values.data(), bytes, bench.stream());
  const LaunchResult done = Synchronize(bench.stream());
  if (!copied.ok() || !done.ok()) throw std::runtime_error("upload failed");
  return memory;
}

}  // namespace

void BenchBlockCopy(Bench& bench) {
  void* pool = bench.RandomBytes(kPlanes * kBlocks * kBlockBytes);
  void* staging = bench.Zeros(kPlanes * (kBlocks / 4) * kBlockBytes);
  std::vector<std::uint32_t> pairs, ids;
  for (std::uint32_t i = 0; i < kBlocks / 4; ++i) {
    pairs.insert(pairs.end(), {4 * i + 1, 4 * i + 3});
    ids.push_back((37 * i) % kBlocks);  // 37 is odd: all different
  }
  const std::uint32_t *device_pairs = Upload(bench, pairs), *device_ids = Upload(bench, ids);
  for (const std::int32_t count : {1, 8, kBlocks / 4}) {
    const BlockCopy copy{.pool = pool,
                         .plane_bytes = kBlocks * kBlockBytes,
                         .block_bytes = kBlockBytes,
                         .planes = kPlanes,
                         .blocks_total = kBlocks,
                         .pairs = device_pairs,
                         .count = count};
    const BlockSwap swap{.pool = pool,
                         .plane_bytes = kBlocks * kBlockBytes,
                         .block_bytes = kBlockBytes,
                         .planes = kPlanes,
                         .blocks_total = kBlocks,
                         .ids = device_ids,
                         .count = count,
                         .staging = staging};
    const std::string shape = std::to_string(count) + " blocks x " + std::to_string(kPlanes) + " planes of 32 KiB";
    // Few blocks stay in L2 and are bound by the launch.
    const double bytes = count == kBlocks / 4 ? 2.0 * count * kPlanes * static_cast<double>(kBlockBytes) : 0.0;
    const auto row = [&](const char* op, double seconds) { bench.Row(op, shape, seconds, bytes, 0.0); };
    row("copy_blocks", bench.Time([&](int) { return CopyBlocks(copy, bench.stream()); }));
    row("gather_blocks", bench.Time([&](int) { return GatherBlocks(swap, bench.stream()); }));
    row("scatter_blocks", bench.Time([&](int) { return ScatterBlocks(swap, bench.stream()); }));
  }
  bench.FreeAll();
}

}  // namespace kernels::gpu
