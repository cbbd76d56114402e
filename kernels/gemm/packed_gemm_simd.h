#pragma once

#include <cstdint>

#include "kernels/gemm/packed_gemm.h"
#include "kernels/gemm/panel_tile_simd.h"

namespace kernels {

// See packed_gemm.h. S is a vector target with kRows of a panel's 16 rows in the 32-bit lanes of one register; wider
// panels are computed in parts. A block of 32 columns of each panel is unpacked once into eight registers and meets
// every row of x, whose bytes are broadcast four by four.
inline constexpr std::int64_t kPackedRowsMax = 64;  // rows of x that pass a tile together: their sums stay in the cache

// Sums of a tile, [row][panel][16].
template <int kPanels>
struct PackedSums {
  alignas(
      64) std::int32_t group[kPackedRowsMax * kPanels * kPanelRows];  // of the group so far, in units of the weights
  alignas(64) float total[kPackedRowsMax * kPanels * kPanelRows];
};

template <int kCount>
struct RowCount {
  static constexpr int kValue = kCount;
};

template <class S>
struct PackedBlock {
  typename S::Bytes q[8];  // columns 4 i .. 4 i + 3 of every row
  typename S::Words d;     // 4 bits: in units, in the low half of each lane
  typename S::F32 d_float, e_float;
};

template <class S>
inline void Unpack4(const std::uint8_t* nibbles, const std::uint8_t* d, PackedBlock<S>* block) {
  for (int v = 0; v < 4; ++v) {
    const auto both = S::LoadNibbles(nibbles + v * 64);
    block->q[v] = S::LowNibbles(both);
    block->q[v + 4] = S::HighNibbles(both);
  }
  block->d = S::LoadWords(d);
}

// One block of 4-bit weights and kRows rows of x: sums[row][panel] += d * (dot + start), exactly.
//   x : [kRows][stride]
template <class S, int kPanels, int kRows>
inline void AddBlock4(const PackedBlock<S>* w, const std::int8_t* x, std::int64_t stride,
                      const QuantizedGroup* x_groups, int index, typename S::I32 (*sums)[kPanels]) {
  if constexpr (S::kDotsOfFour) {
    typename S::I32 dots[kRows][kPanels];
    for (int r = 0; r < kRows; ++r) {
      for (int p = 0; p < kPanels; ++p) dots[r][p] = S::Set1I32(&x_groups[r].start4[index]);
    }
    for (int v = 0; v < 8; ++v) {
      for (int r = 0; r < kRows; ++r) {
        const auto four = S::Four(x + r * stride + 4 * v);
        for (int p = 0; p < kPanels; ++p) dots[r][p] = S::template Dot<true>(dots[r][p], w[p].q[v], four);
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int p = 0; p < kPanels; ++p) sums[r][p] = S::AddWordProducts(sums[r][p], S::AsWords(dots[r][p]), w[p].d);
    }
  } else {  // sums of pairs, which fit 16 bits; they are added when they are scaled
    for (int r = 0; r < kRows; ++r) {
      typename S::Words dots[kPanels];
      for (int p = 0; p < kPanels; ++p) dots[p] = S::ZeroWords();
      for (int v = 0; v < 8; ++v) {
        const auto four = S::Four(x + r * stride + 4 * v);
        for (int p = 0; p < kPanels; ++p) dots[p] = S::AddPairs(dots[p], w[p].q[v], four);
      }
      const auto start = S::AsWords(S::Set1I32(&x_groups[r].start4[index]));
      for (int p = 0; p < kPanels; ++p) {
        sums[r][p] = S::AddWordProducts(sums[r][p], start, w[p].d);
        sums[r][p] = S::AddWordProducts(sums[r][p], dots[p], S::BothHalves(w[p].d));
      }
    }
  }
}

// Calls body(count, row) for rows six by six, whose twelve chains of additions overlap, and four by four where that
// leaves fewer over.
template <class Rows>
inline __attribute__((always_inline)) void ForRowsTogether(std::int64_t rows, const Rows& body) {
  std::int64_t row = 0;
  for (; row + 12 <= rows; row += 6) body(RowCount<6>{}, row);
  for (; row + 4 <= rows; row += 4) body(RowCount<4>{}, row);
  for (; row + 2 <= rows; row += 2) body(RowCount<2>{}, row);
  for (; row < rows; ++row) body(RowCount<1>{}, row);
}

// Block `kIndex` of a group of kBlocks, for `rows` rows of x. After the last one the group's offsets are added and its
// sums go to the totals, times the scale of each row.
template <class S, int kPanels, int kIndex, int kBlocks>
inline void PackedBlock4(const std::uint8_t* const* groups, std::int64_t part, const std::int8_t* x,
                         const QuantizedGroup* x_groups, std::int64_t rows, bool first_group,
                         PackedSums<kPanels>* sums) {
  constexpr bool kLast = kIndex + 1 == kBlocks;
  PackedBlock<S> w[kPanels];
  typename S::Words e[kPanels][2];
  for (int p = 0; p < kPanels; ++p) {
    const std::uint8_t* d = groups[p] + kBlocks * 256;
    Unpack4<S>(groups[p] + kIndex * 256 + part * 4 * S::kRows, d + kIndex * 32 + part * 2 * S::kRows, &w[p]);
    if constexpr (kLast) {
      const std::uint8_t* offsets = d + kBlocks * 32;
      if constexpr (kBlocks >= 2) e[p][0] = S::LoadWordPairs(offsets + part * 4 * S::kRows);
      if constexpr (kBlocks % 2 == 1)
        e[p][kBlocks / 2] = S::LoadWords(offsets + kBlocks / 2 * 64 + part * 2 * S::kRows);
    }
  }
  ForRowsTogether(
      rows, [&](auto count, std::int64_t row) __attribute__((always_inline)) {
        constexpr int kCount = decltype(count)::kValue;
        const QuantizedGroup* own_groups = x_groups + row;
        std::int32_t* own = sums->group + row * kPanels * kPanelRows + part * S::kRows;
        typename S::I32 added[kCount][kPanels];
        for (int r = 0; r < kCount; ++r) {
          for (int p = 0; p < kPanels; ++p) {
            added[r][p] = kIndex == 0 ? S::ZeroI32() : S::LoadI32(own + (r * kPanels + p) * kPanelRows);
          }
        }
        AddBlock4<S, kPanels, kCount>(w, x + (row * kBlocks + kIndex) * 32, kBlocks * 32, own_groups, kIndex, added);
        if constexpr (!kLast) {
          for (int r = 0; r < kCount; ++r) {
            for (int p = 0; p < kPanels; ++p) S::StoreI32(own + (r * kPanels + p) * kPanelRows, added[r][p]);
          }
        } else {
          for (int r = 0; r < kCount; ++r) {
            for (int pair = 0; pair < (kBlocks + 1) / 2; ++pair) {
              const auto two = S::TwoWords(own_groups[r].sums + 2 * pair);
              for (int p = 0; p < kPanels; ++p) added[r][p] = S::AddWordProducts(added[r][p], two, e[p][pair]);
            }
            float* total = sums->total + (row + r) * kPanels * kPanelRows + part * S::kRows;
            const auto scale = S::Set1(own_groups[r].scale);
            for (int p = 0; p < kPanels; ++p) {
              const auto sum = S::ToFloat(added[r][p]);
              S::Store(total + p * kPanelRows,
                       first_group ? S::Mul(sum, scale) : S::Fma(sum, scale, S::Load(total + p * kPanelRows)));
            }
          }
        }
      });
}

// The processor's own prefetcher stops at the end of a page and starts anew with each panel, so few rows, for which a
// tile is bound by memory, would wait. Beyond the tile lies the next one.
inline constexpr std::int64_t kPrefetchBytes = 4096;

template <class S>
inline void PrefetchAhead(const std::uint8_t* at, std::int64_t bytes) {
  for (std::int64_t line = 0; line < bytes; line += 64) __builtin_prefetch(at + kPrefetchBytes + line);
}

template <class S, int kPanels>
inline void PackedPanels4(const PackedGemm& gemm, const std::uint8_t* const* panels, std::int64_t begin,
                          std::int64_t rows, PackedSums<kPanels>* sums) {
  const QuantizedRows& x = gemm.x;
  const std::int64_t groups = GroupsFor(x.columns);
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t blocks = BlocksOfGroup(x.columns, g);
    const std::uint8_t* group[kPanels];
    for (int p = 0; p < kPanels; ++p) {
      group[p] = panels[p] + g * kGroupBlocks * PackedBlockBytes(PackedLayout::k4);
      PrefetchAhead<S>(group[p], kGroupBlocks * PackedBlockBytes(PackedLayout::k4));
    }
    const std::int8_t* values = x.values + g * x.rows * kGroupColumns + begin * blocks * 32;
    const QuantizedGroup* x_groups = x.groups + g * x.rows + begin;
    for (std::int64_t part = 0; part < kPanelRows / S::kRows; ++part) {
      if (blocks == 3) {
        PackedBlock4<S, kPanels, 0, 3>(group, part, values, x_groups, rows, g == 0, sums);
        PackedBlock4<S, kPanels, 1, 3>(group, part, values, x_groups, rows, g == 0, sums);
        PackedBlock4<S, kPanels, 2, 3>(group, part, values, x_groups, rows, g == 0, sums);
      } else if (blocks == 2) {
        PackedBlock4<S, kPanels, 0, 2>(group, part, values, x_groups, rows, g == 0, sums);
        PackedBlock4<S, kPanels, 1, 2>(group, part, values, x_groups, rows, g == 0, sums);
      } else {
        PackedBlock4<S, kPanels, 0, 1>(group, part, values, x_groups, rows, g == 0, sums);
      }
    }
  }
  for (int p = 0; p < kPanels; ++p) {
    const std::uint8_t* units = panels[p] + PackedPanelBytes(PackedLayout::k4, x.columns) -
                                static_cast<std::int64_t>(sizeof(float)) * kPanelRows;
    for (int part = 0; part < kPanelRows / S::kRows; ++part) {
      const auto unit = S::LoadFloats(units + part * 4 * S::kRows);
      float* total = sums->total + p * kPanelRows + part * S::kRows;
      for (std::int64_t row = 0; row < rows; ++row, total += kPanels * kPanelRows) {
        S::Store(total, S::Mul(S::Load(total), unit));
      }
    }
  }
}

template <class S, int kPanels, bool kOffset>
inline void PackedPanels8(const PackedGemm& gemm, const std::uint8_t* const* panels, std::int64_t begin,
                          std::int64_t rows, PackedSums<kPanels>* sums) {
  const QuantizedRows& x = gemm.x;
  for (std::int64_t b = 0; b < x.columns / 32; ++b) {
    const std::int64_t g = b / kGroupBlocks, index = b % kGroupBlocks, blocks = BlocksOfGroup(x.columns, g);
    const std::int8_t* values = x.values + g * x.rows * kGroupColumns + (begin * blocks + index) * 32;
    const QuantizedGroup* x_groups = x.groups + g * x.rows + begin;
    for (std::int64_t part = 0; part < kPanelRows / S::kRows; ++part) {
      PackedBlock<S> w[kPanels];
      for (int p = 0; p < kPanels; ++p) {
        const std::uint8_t* block = panels[p] + b * PackedBlockBytes(gemm.layout) + part * 4 * S::kRows;
        if (part == 0) PrefetchAhead<S>(block, PackedBlockBytes(gemm.layout));
        for (int v = 0; v < 8; ++v) w[p].q[v] = S::LoadBytes(block + v * 64);
        w[p].d_float = S::LoadFloats(block + 512);
        if constexpr (kOffset) w[p].e_float = S::LoadFloats(block + 576);
      }
      ForRowsTogether(
          rows, [&](auto count, std::int64_t row) __attribute__((always_inline)) {
            constexpr int kCount = decltype(count)::kValue;
            const QuantizedGroup* own_groups = x_groups + row;
            const std::int8_t* own = values + row * blocks * 32;
            typename S::I32 dots[kCount][kPanels];
            for (int r = 0; r < kCount; ++r) {
              for (int p = 0; p < kPanels; ++p) dots[r][p] = S::Set1I32(&own_groups[r].start8[index]);
            }
            for (int v = 0; v < 8; ++v) {
              for (int r = 0; r < kCount; ++r) {
                const auto four = S::Four(own + r * blocks * 32 + 4 * v);
                for (int p = 0; p < kPanels; ++p) dots[r][p] = S::template Dot<false>(dots[r][p], w[p].q[v], four);
              }
            }
            for (int r = 0; r < kCount; ++r) {
              float* total = sums->total + (row + r) * kPanels * kPanelRows + part * S::kRows;
              const auto scale = S::Set1(own_groups[r].scale);
              for (int p = 0; p < kPanels; ++p) {
                auto product = S::Mul(w[p].d_float, S::ToFloat(dots[r][p]));
                if constexpr (kOffset)
                  product = S::Fma(w[p].e_float, S::Set1(own_groups[r].float_sums[index]), product);
                S::Store(total + p * kPanelRows,
                         b == 0 ? S::Mul(product, scale) : S::Fma(product, scale, S::Load(total + p * kPanelRows)));
              }
            }
          });
    }
  }
}

template <class S, int kPanels>
inline void PackedPanels(const PackedGemm& gemm, const std::uint8_t* const* panels, std::int64_t n, std::int64_t begin,
                         std::int64_t end) {
  PackedSums<kPanels> sums;
  for (; begin < end; begin += kPackedRowsMax) {
    const std::int64_t rows = end - begin < kPackedRowsMax ? end - begin : kPackedRowsMax;
    if (gemm.layout == PackedLayout::k4) {
      PackedPanels4<S, kPanels>(gemm, panels, begin, rows, &sums);
    } else if (gemm.layout == PackedLayout::k8) {
      PackedPanels8<S, kPanels, false>(gemm, panels, begin, rows, &sums);
    } else {
      PackedPanels8<S, kPanels, true>(gemm, panels, begin, rows, &sums);
    }
    StoreSums<S, kPanels>(gemm, n, begin, rows, sums.total);
  }
}

template <class S>
inline void PackedGemmTile(const PackedGemm& gemm, std::int64_t tile, std::int64_t row_begin, std::int64_t row_end) {
  ForPanelsOfTile(
      gemm, gemm.w, gemm.gate, PackedPanelBytes(gemm.layout, gemm.x.columns),
      tile, [&](auto count, const std::uint8_t* const* panels, std::int64_t n) __attribute__((always_inline)) {
        PackedPanels<S, decltype(count)::kValue>(gemm, panels, n, row_begin, row_end);
      });
}

}  // namespace kernels
