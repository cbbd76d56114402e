#pragma once

#include <cstdint>

#include "kernels/gemm/packed_gemm.h"

namespace kernels {

// See packed_gemm.h. S is a vector target with kRows of a panel's 16 rows in the 32-bit lanes of one register; wider
// panels are computed in parts. A block of 32 columns is unpacked once into eight registers and meets every row of x,
// whose 4 bytes are broadcast from memory by the instruction that multiplies them.
inline constexpr std::int64_t kPackedRowsMax =
    64;  // rows of x that pass a panel together: their sums stay in the L1 cache

template <class S>
struct PackedBlock {
  typename S::Bytes q[8];  // columns 4 i .. 4 i + 3 of every row
  typename S::F32 d, m;
};

template <class S, bool k4Bits, bool kHalfScales>
inline PackedBlock<S> UnpackBlock(const std::uint8_t* block, std::int64_t part) {
  PackedBlock<S> unpacked;
  const std::uint8_t* runs = block + part * 4 * S::kRows;
  if constexpr (k4Bits) {
    for (int v = 0; v < 4; ++v) {
      const auto both = S::LoadBytes(runs + v * 64);
      unpacked.q[v] = S::LowNibbles(both);
      unpacked.q[v + 4] = S::HighNibbles(both);
    }
  } else {
    for (int v = 0; v < 8; ++v) unpacked.q[v] = S::LoadBytes(runs + v * 64);
  }
  const std::uint8_t* scales = block + (k4Bits ? 256 : 512);
  if constexpr (kHalfScales) {
    unpacked.d = S::LoadHalves(scales + part * 2 * S::kRows);
    unpacked.m = S::LoadHalves(scales + 2 * kPanelRows + part * 2 * S::kRows);
  } else {
    unpacked.d = S::LoadFloats(scales + part * 4 * S::kRows);
    unpacked.m = S::LoadFloats(scales + 4 * kPanelRows + part * 4 * S::kRows);
  }
  return unpacked;
}

// Adds one block's products for kTogether rows of x, whose chains of additions overlap.
template <class S, bool k4Bits, int kTogether>
inline void AddBlockRows(const PackedBlock<S>& w, const std::int8_t* x, const float* scales, float* sums) {
  typename S::I32 dots[kTogether];
  for (int r = 0; r < kTogether; ++r) dots[r] = S::ZeroI32();
  for (int v = 0; v < 8; ++v) {
    for (int r = 0; r < kTogether; ++r) dots[r] = S::template Dot<k4Bits>(dots[r], w.q[v], x + r * 32 + v * 4);
  }
  for (int r = 0; r < kTogether; ++r) {
    auto sum = S::Load(sums + r * kPanelRows);
    sum = S::Fma(S::Mul(w.d, S::Set1(scales[2 * r])), S::ToFloat(dots[r]), sum);
    sum = S::Fma(w.m, S::Set1(scales[2 * r + 1]), sum);
    S::Store(sums + r * kPanelRows, sum);
  }
}

template <class S, bool k4Bits, bool kHalfScales>
inline void PackedPanelRows(const PackedGemm& gemm, const std::uint8_t* w, std::int64_t begin, std::int64_t rows,
                            float* sums) {
  const QuantizedRows& x = gemm.x;
  const std::int64_t block_bytes = PackedBlockBytes(gemm.layout);
  for (std::int64_t i = 0; i < rows * kPanelRows; ++i) sums[i] = 0.0F;
  for (std::int64_t part = 0; part < kPanelRows / S::kRows; ++part) {
    for (std::int64_t b = 0; b < x.columns / 32; ++b) {
      const PackedBlock<S> block = UnpackBlock<S, k4Bits, kHalfScales>(w + b * block_bytes, part);
      const std::int8_t* values = x.values + (b * x.rows + begin) * 32;
      const float* scales = x.scales + (b * x.rows + begin) * 2;
      float* to = sums + part * S::kRows;
      std::int64_t row = 0;
      for (; row + 4 <= rows; row += 4) {
        AddBlockRows<S, k4Bits, 4>(block, values + row * 32, scales + row * 2, to + row * kPanelRows);
      }
      for (; row < rows; ++row) {
        AddBlockRows<S, k4Bits, 1>(block, values + row * 32, scales + row * 2, to + row * kPanelRows);
      }
    }
  }
}

template <class S>
inline void PackedGemmPanel(const PackedGemm& gemm, std::int64_t panel) {
  const std::uint8_t* w = gemm.w + panel * PackedPanelBytes(gemm.layout, gemm.x.columns);
  const std::int64_t n_begin = panel * kPanelRows;
  const std::int64_t n_count = gemm.n - n_begin < kPanelRows ? gemm.n - n_begin : kPanelRows;
  const bool half = gemm.layout.scales == PackedScales::kF16;
  alignas(64) float sums[kPackedRowsMax * kPanelRows];
  for (std::int64_t begin = 0; begin < gemm.x.rows; begin += kPackedRowsMax) {
    const std::int64_t rows = gemm.x.rows - begin < kPackedRowsMax ? gemm.x.rows - begin : kPackedRowsMax;
    if (gemm.layout.bits == PackedBits::k4) {
      half ? PackedPanelRows<S, true, true>(gemm, w, begin, rows, sums)
           : PackedPanelRows<S, true, false>(gemm, w, begin, rows, sums);
    } else {
      half ? PackedPanelRows<S, false, true>(gemm, w, begin, rows, sums)
           : PackedPanelRows<S, false, false>(gemm, w, begin, rows, sums);
    }
    for (std::int64_t row = 0; row < rows; ++row) {
      float* y = gemm.y + (begin + row) * gemm.y_stride + n_begin;
      const float* from = sums + row * kPanelRows;
      if (gemm.accumulate) {
        for (std::int64_t i = 0; i < n_count; ++i) y[i] += from[i];
      } else {
        for (std::int64_t i = 0; i < n_count; ++i) y[i] = from[i];
      }
    }
  }
}

}  // namespace kernels
