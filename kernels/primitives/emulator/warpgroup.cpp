#include "kernels/primitives/emulator/warpgroup.h"

#include <cstring>
#include <vector>

#include "kernels/primitives/emulator/emulator.h"
#include "kernels/primitives/gpu/float_formats.h"

namespace kernels::gpu::emulator {
namespace {

// What an mbarrier's 64 bits hold here; a card's are opaque too.
struct MbarrierState {
  std::uint16_t count, missing;
  std::uint32_t phase;
};
MbarrierState Load(const std::uint64_t* state) {
  CheckAligned(state, 8, "an mbarrier");
  MbarrierState loaded;
  std::memcpy(&loaded, state, sizeof(loaded));
  return loaded;
}

constexpr int kTilesMax = 16;

struct Product {
  float* d;  // [tiles][4]
  int tiles;
  const std::uint32_t* a;  // [4], or nullptr
  std::uint64_t a_matrix, b_matrix;
  bool b_transposed, add;
};

// A thread's products, and where each committed group ends.
struct Queue {
  std::vector<Product> products;
  std::vector<std::size_t> groups;
};
Queue& ThisQueue() {
  thread_local std::vector<Queue> queues(kThreadsMax);
  return queues[threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)];
}

// The value at `row`, `column` of the matrix that a descriptor (PTX ISA 9.0, "Matrix Descriptor Format") names, for
// 128-byte swizzle: eight rows of 128 bytes are a pattern; then the stride leads to the next eight rows, and, where the
// rows are as long as N, the leading offset to the next 64 columns. The exclusive or takes the address as it is.
float At(std::uint64_t matrix, unsigned row, unsigned column, bool transposed) {
  if (matrix >> 62 != 1) Fail("wgmma: the descriptor does not say 128-byte swizzle");
  const auto field = [matrix](unsigned bit) { return static_cast<std::uint32_t>(matrix >> bit & 0x3FFFU) << 4; };
  if (!transposed && column >= 64) Fail("wgmma: column %u of a row of 64", column);
  std::uint32_t address = field(0) + row / 8 * field(32) + row % 8 * 128 + column % 64 * 2 + column / 64 * field(16);
  address ^= (address >> 7 & 7U) << 4;
  std::uint16_t bits;
  std::memcpy(&bits, DynamicSharedMemory() + address, sizeof(bits));
  return ToFloat(Bf16{bits});
}

// One warp's 16 rows of D [64][8 * tiles] += A [64][16] B [16][8 * tiles].
void Multiply(void* const (&lanes)[32], std::size_t index) {
  const auto product = [&](unsigned lane) -> const Product& {
    return static_cast<const Queue*>(lanes[lane])->products[index];
  };
  const Product& first = product(0);
  const auto columns = static_cast<unsigned>(first.tiles) * 8;
  static thread_local float a[16][16], b[16][kTilesMax * 8], d[16][kTilesMax * 8];
  const unsigned warp_row = threadIdx.x / 32 % 4 * 16;
  for (unsigned lane = 0; lane < 32; ++lane) {
    const Product& own = product(lane);
    if (own.a_matrix != first.a_matrix || own.b_matrix != first.b_matrix || own.add != first.add) {
      Fail("wgmma: lanes 0 and %u disagree about the matrices", lane);
    }
    for (unsigned i = 0; i < 4 && own.a != nullptr; ++i) {
      const unsigned row = lane / 4 + i % 2 * 8, column = lane % 4 * 2 + i / 2 * 8;
      a[row][column] = LowBf16(own.a[i]);
      a[row][column + 1] = HighBf16(own.a[i]);
    }
    for (unsigned i = 0; i < columns / 2; ++i) {
      d[lane / 4 + i % 4 / 2 * 8][i / 4 * 8 + lane % 4 * 2 + i % 2] = own.add ? own.d[i] : 0.0F;
    }
  }
  for (unsigned k = 0; k < 16; ++k) {
    for (unsigned row = 0; row < 16 && first.a == nullptr; ++row)
      a[row][k] = At(first.a_matrix, warp_row + row, k, false);
    for (unsigned n = 0; n < columns; ++n) {
      b[k][n] = first.b_transposed ? At(first.b_matrix, k, n, true) : At(first.b_matrix, n, k, false);
    }
  }
  for (unsigned row = 0; row < 16; ++row) {
    for (unsigned k = 0; k < 16; ++k) {
      for (unsigned n = 0; n < columns; ++n) d[row][n] += a[row][k] * b[k][n];
    }
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    const Product& own = product(lane);
    for (unsigned i = 0; i < columns / 2; ++i) {
      own.d[i] = d[lane / 4 + i % 4 / 2 * 8][i / 4 * 8 + lane % 4 * 2 + i % 2];
    }
  }
}

// Each lane's oldest group.
void FinishGroup(void* const (&lanes)[32], unsigned arrived) {
  if (arrived != 0xFFFFFFFFU) Fail("wgmma: only lanes 0x%08x of the warp are left; it takes all 32", arrived);
  const std::size_t count = static_cast<const Queue*>(lanes[0])->groups.front();
  for (std::size_t i = 0; i < count; ++i) Multiply(lanes, i);
  for (void* lane : lanes) {
    auto& queue = *static_cast<Queue*>(lane);
    if (queue.groups.front() != count) Fail("wgmma: lanes disagree about the products of a group");
    queue.products.erase(queue.products.begin(), queue.products.begin() + static_cast<std::ptrdiff_t>(count));
    queue.groups.erase(queue.groups.begin());
    for (std::size_t& end : queue.groups) end -= count;
  }
}

}  // namespace

void MbarrierInit(std::uint64_t* state, unsigned count) {
  CheckAligned(state, 8, "an mbarrier");
  const MbarrierState made{static_cast<std::uint16_t>(count), static_cast<std::uint16_t>(count), 0};
  std::memcpy(state, &made, sizeof(made));
}

void MbarrierArrive(std::uint64_t* state) {
  MbarrierState now = Load(state);
  if (now.missing == 0) Fail("mbarrier: an arrival at a barrier that was not made");
  if (--now.missing == 0) {
    now.missing = now.count;
    ++now.phase;
  }
  std::memcpy(state, &now, sizeof(now));
}

bool MbarrierTryWait(std::uint64_t* state, unsigned parity) {
  static thread_local std::uint64_t refusals = 0;
  if ((Load(state).phase & 1U) != parity) {
    refusals = 0;
    return true;
  }
  if (++refusals > 50'000'000) Fail("mbarrier: nothing happens any more: a phase that never ends");
  Yield();
  return (Load(state).phase & 1U) != parity;
}

void WgmmaBf16(float* d, int tiles, const std::uint32_t* a, std::uint64_t a_matrix, std::uint64_t b_matrix,
               bool b_transposed, bool add) {
  if (tiles > kTilesMax) Fail("wgmma: N of %d", tiles * 8);
  ThisQueue().products.push_back({d, tiles, a, a_matrix, b_matrix, b_transposed, add});
}

void WgmmaCommit() {
  Queue& queue = ThisQueue();
  queue.groups.push_back(queue.products.size());
  const std::uint64_t seed = ScheduleSeed();
  if (seed == 1 || (seed > 1 && (seed + queue.products.size()) % 3 == 0)) WgmmaWait(0);
}

void WgmmaWait(int unfinished) {
  Queue& queue = ThisQueue();
  while (queue.groups.size() > static_cast<std::size_t>(unfinished)) {
    WarpCollective("wgmma", 0xFFFFFFFFU, FinishGroup, &queue);
  }
}

}  // namespace kernels::gpu::emulator
