#include <cstdint>
#include <cstring>

#include "kernels/primitives/emulator/emulator.h"
#include "kernels/primitives/gpu/float_formats.h"
#include "kernels/quant/half.h"

// The warp's matrix instructions, layouts as kernels/primitives/gpu/mma.h states them. The last lane that comes gathers
// every lane's fragments, computes, and hands them back.
namespace kernels::gpu::emulator {
namespace {

constexpr unsigned kAllLanes = 0xFFFFFFFFU;

struct MmaFragments {
  float* d;                // [4]
  const std::uint32_t* a;  // [4]
  const std::uint32_t* b;  // [2]
};

float Bf16ToFloat(std::uint32_t bits) { return BitsToFloat(bits << 16); }
float F16ToFloat(std::uint32_t bits) { return HalfToFloat(static_cast<std::uint16_t>(bits)); }

void RequireWholeWarp(const char* name, unsigned arrived) {
  if (arrived != kAllLanes) Fail("%s: only lanes 0x%08x of the warp are left; it takes all 32", name, arrived);
}

// D [16][8] += A [16][16] B [16][8]. A card's order of the additions is not documented; here it is ascending in k.
template <float (*kWiden)(std::uint32_t)>
void MmaOperation(void* const (&lanes)[32], unsigned arrived) {
  RequireWholeWarp("mma.sync", arrived);
  float a[16][16], b[16][8], d[16][8];
  for (unsigned lane = 0; lane < 32; ++lane) {
    const auto& fragments = *static_cast<const MmaFragments*>(lanes[lane]);
    const unsigned group = lane / 4, pair = lane % 4;
    for (unsigned i = 0; i < 4; ++i) {
      const unsigned row = group + i % 2 * 8, column = 2 * pair + i / 2 * 8;
      a[row][column] = kWiden(fragments.a[i] & 0xFFFFU);
      a[row][column + 1] = kWiden(fragments.a[i] >> 16);
      d[group + i / 2 * 8][2 * pair + i % 2] = fragments.d[i];
    }
    for (unsigned i = 0; i < 2; ++i) {
      b[2 * pair + 8 * i][group] = kWiden(fragments.b[i] & 0xFFFFU);
      b[2 * pair + 8 * i + 1][group] = kWiden(fragments.b[i] >> 16);
    }
  }
  using Row = float __attribute__((vector_size(32)));
  for (unsigned row = 0; row < 16; ++row) {
    Row sum, of_b;
    std::memcpy(&sum, d[row], sizeof(sum));
    for (unsigned k = 0; k < 16; ++k) {
      std::memcpy(&of_b, b[k], sizeof(of_b));
      sum += a[row][k] * of_b;
    }
    std::memcpy(d[row], &sum, sizeof(sum));
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    const auto& fragments = *static_cast<const MmaFragments*>(lanes[lane]);
    for (unsigned i = 0; i < 4; ++i) fragments.d[i] = d[lane / 4 + i / 2 * 8][2 * (lane % 4) + i % 2];
  }
}

struct LoadedMatrices {
  const unsigned char* row;
  std::uint32_t* r;  // [4]
};

template <bool kTransposed>
void LoadMatrixOperation(void* const (&lanes)[32], unsigned arrived) {
  RequireWholeWarp("ldmatrix", arrived);
  for (unsigned matrix = 0; matrix < 4; ++matrix) {
    std::uint16_t values[8][8];
    for (unsigned row = 0; row < 8; ++row) {
      std::memcpy(values[row], static_cast<const LoadedMatrices*>(lanes[matrix * 8 + row])->row, sizeof(values[row]));
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      const unsigned group = lane / 4, pair = lane % 4;
      const std::uint32_t low = kTransposed ? values[2 * pair][group] : values[group][2 * pair];
      const std::uint32_t high = kTransposed ? values[2 * pair + 1][group] : values[group][2 * pair + 1];
      static_cast<const LoadedMatrices*>(lanes[lane])->r[matrix] = low | high << 16;
    }
  }
}

}  // namespace

void MmaBf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  MmaFragments fragments{d, a, b};
  WarpCollective("mma.sync bf16", kAllLanes, MmaOperation<Bf16ToFloat>, &fragments);
}

void MmaF16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2]) {
  MmaFragments fragments{d, a, b};
  WarpCollective("mma.sync f16", kAllLanes, MmaOperation<F16ToFloat>, &fragments);
}

void LoadMatrix4(std::uint32_t (&r)[4], const void* shared_row, bool transposed) {
  CheckAligned(shared_row, 16, "ldmatrix");
  LoadedMatrices loaded{static_cast<const unsigned char*>(shared_row), r};
  WarpCollective(transposed ? "ldmatrix.trans" : "ldmatrix", kAllLanes,
                 transposed ? LoadMatrixOperation<true> : LoadMatrixOperation<false>, &loaded);
}

}  // namespace kernels::gpu::emulator
