// Times attention on the CPU, one thread by its own processor time, so that neighbours on the machine count little:
// decode of one token over long contexts (bytes of keys and values read) and prefill (operations done, causal).
//   build/bin/attention_cpu_bench [--target=NAME] [--group=3] [--head-dim=64] [--block=16] [--pool-mib=24]
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <numeric>
#include <random>
#include <string_view>
#include <vector>

#include "kernels/primitives/cpu_kernels.h"

namespace {

using kernels::KvFormat;
using kernels::PagedAttention;

struct Shape {
  std::int64_t group = 3, head_dim = 64, block_size = 16, pool_mib = 24;
};

struct Free {
  void operator()(void* p) const { std::free(p); }
};
using Memory = std::unique_ptr<std::byte, Free>;
Memory Take(std::int64_t bytes) {
  constexpr std::int64_t kHugePage = 2 << 20;  // as the KV pool's
  const auto size = static_cast<std::size_t>((bytes + kHugePage - 1) / kHugePage * kHugePage);
  void* p = std::aligned_alloc(kHugePage, size);
  if (p == nullptr) std::abort();
#if defined(MADV_HUGEPAGE)
  madvise(p, size, MADV_HUGEPAGE);
#endif
  std::memset(p, 0, static_cast<std::size_t>(bytes));
  return Memory(static_cast<std::byte*>(p));
}

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// The shortest of several runs, in about a tenth of a second at least.
template <typename Body>
double Time(const Body& body) {
  double best = 1e9, total = 0;
  for (int run = 0; run < 1000 && (run < 5 || total < 0.1); ++run) {
    const double start = ThreadSeconds();
    body();
    const double seconds = ThreadSeconds() - start;
    best = std::min(best, seconds);
    total += seconds;
  }
  return best;
}

// One layer of one key/value head with a sequence of `tokens` in shuffled blocks, as large as several caches.
class Bench {
 public:
  Bench(const kernels::CpuKernels& kernels, const Shape& shape, KvFormat format, std::int64_t tokens)
      : kernels_(kernels), shape_(shape), kv_{nullptr, nullptr, format, 1, shape.block_size, shape.head_dim} {
    const std::int64_t blocks =
        std::max<std::int64_t>(tokens / shape.block_size + 1, (shape.pool_mib << 20) / kv_.BlockBytes());
    k_ = Take(blocks * kv_.BlockBytes());
    v_ = Take(blocks * kv_.BlockBytes());
    kv_.k = k_.get();
    kv_.v = v_.get();
    block_ids_.resize(static_cast<std::size_t>(blocks));
    std::iota(block_ids_.begin(), block_ids_.end(), 0U);
    std::shuffle(block_ids_.begin(), block_ids_.end(), rng_);
    const std::vector<float> k = Random(shape.head_dim), v = Random(shape.head_dim);
    for (std::int64_t p = 0; p < blocks * shape.block_size; ++p) {
      kernels.store_kv(kv_, block_ids_[static_cast<std::size_t>(p / shape.block_size)], p % shape.block_size, k.data(),
                       v.data());
    }
    scratch_ = Take(kernels::AttentionScratchFloats(shape.head_dim) * 4);
  }

  void Decode(std::int64_t context) {
    const std::vector<float> q = Random(shape_.group * shape_.head_dim);
    std::vector<float> out(q.size());
    const std::int64_t blocks = (context + shape_.block_size - 1) / shape_.block_size;
    const std::int64_t sequences = static_cast<std::int64_t>(block_ids_.size()) / blocks;
    const double seconds = Time([&] {
                             for (std::int64_t s = 0; s < sequences; ++s) {
                               PagedAttention a = Call(q, context, 1);
                               a.block_ids += s * blocks;
                               kernels_.paged_attention(a, Scratch(), out.data(), 0);
                             }
                           }) /
                           static_cast<double>(sequences);
    Print("decode", context, seconds, static_cast<double>(2 * blocks * kv_.BlockBytes()), Operations(context));
  }

  void Prefill(std::int64_t tokens) {
    const std::int64_t row = shape_.group * shape_.head_dim,
                       tile = std::max<std::int64_t>(1, kernels::kQueriesMax / shape_.group);
    const std::vector<float> q = Random(tokens * row);
    std::vector<float> out(q.size());
    const double seconds = Time([&] {
      for (std::int64_t r = 0; r < tokens; r += tile) {
        PagedAttention a = Call(q, r + 1, std::min(tile, tokens - r));
        a.q += r * row;
        kernels_.paged_attention(a, Scratch(), out.data() + r * row, row);
      }
    });
    double operations = 0;
    for (std::int64_t r = 0; r < tokens; ++r) operations += Operations(r + 1);
    Print("prefill", tokens, seconds, 0, operations);
  }

 private:
  std::vector<float> Random(std::int64_t count) {
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = normal(rng_);
    return values;
  }
  PagedAttention Call(const std::vector<float>& q, std::int64_t context, std::int64_t rows) const {
    return {
        kv_, 0, block_ids_.data(), context, rows, shape_.group, 0.125F, 0, q.data(), shape_.group * shape_.head_dim};
  }
  float* Scratch() const { return reinterpret_cast<float*>(scratch_.get()); }
  double Operations(std::int64_t context) const {
    return 4.0 * static_cast<double>(shape_.group * shape_.head_dim * context);
  }
  void Print(const char* what, std::int64_t tokens, double seconds, double bytes, double operations) const {
    constexpr const char* kFormats[] = {"f32", "f16", "q8"};
    std::printf("%-8s %-4s %6lld %10.2f us %8.1f GB/s %8.1f GFLOP/s\n", what, kFormats[static_cast<int>(kv_.format)],
                static_cast<long long>(tokens), seconds * 1e6, bytes / seconds * 1e-9, operations / seconds * 1e-9);
  }

  const kernels::CpuKernels& kernels_;
  const Shape shape_;
  kernels::PagedKv kv_;
  std::mt19937 rng_{1};
  Memory k_, v_, scratch_;
  std::vector<std::uint32_t> block_ids_;
};

// The limit of decode: 64 MiB read in order.
void PrintReading() {
  constexpr std::int64_t kBytes = 64 << 20;
  const Memory memory = Take(kBytes);
  std::uint64_t sum = 0;
  const double seconds = Time([&] {
    const auto* words = reinterpret_cast<const std::uint64_t*>(memory.get());
    std::uint64_t sums[8] = {};
    for (std::int64_t i = 0; i < kBytes / 8; i += 8) {
      for (int j = 0; j < 8; ++j) sums[j] += words[i + j];
    }
    for (std::uint64_t part : sums) sum += part;
  });
  std::printf("reading memory in order %5.1f GB/s%s\n", kBytes / seconds * 1e-9, sum == 1 ? "!" : "");
}

bool Number(std::string_view text, std::int64_t* out) {
  return std::from_chars(text.data(), text.data() + text.size(), *out).ptr == text.data() + text.size();
}

}  // namespace

int main(int argc, char** argv) {
  const kernels::CpuKernels* kernels = &kernels::BestCpuKernels();
  Shape shape;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = std::min(argument.find('='), argument.size() - 1);
    const std::string_view name = argument.substr(0, equals), value = argument.substr(equals + 1);
    bool known = (name == "--group" && Number(value, &shape.group)) ||
                 (name == "--head-dim" && Number(value, &shape.head_dim)) ||
                 (name == "--block" && Number(value, &shape.block_size)) ||
                 (name == "--pool-mib" && Number(value, &shape.pool_mib));
    for (const kernels::CpuTarget target : kernels::kCpuTargets) {
      const kernels::CpuKernels* candidate = kernels::CpuKernelsFor(target);
      if (name == "--target" && candidate != nullptr && value == candidate->name) {
        kernels = candidate;
        known = true;
      }
    }
    if (!known || shape.group < 1 || shape.group > kernels::kQueriesMax || shape.head_dim < 16 ||
        shape.head_dim % 16 != 0 || shape.head_dim > kernels::kHeadDimMax || shape.block_size < 1 ||
        shape.block_size > kernels::kKvBlockSizeMax) {
      std::fprintf(
          stderr,
          "usage: attention_cpu_bench [--target=NAME] [--group=3] [--head-dim=64] [--block=16] [--pool-mib=24]\n");
      return 2;
    }
  }
  std::printf("%s, one thread, one key/value head, %lld query heads of %lld, blocks of %lld tokens\n", kernels->name,
              static_cast<long long>(shape.group), static_cast<long long>(shape.head_dim),
              static_cast<long long>(shape.block_size));
  PrintReading();
  for (KvFormat format : {KvFormat::kF16, KvFormat::kQ8}) {
    Bench bench(*kernels, shape, format, 8192);
    for (std::int64_t context : {128, 192, 1024, 8192}) bench.Decode(context);
    for (std::int64_t tokens : {128, 512, 4000}) bench.Prefill(tokens);
  }
  return 0;
}
