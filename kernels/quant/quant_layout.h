#pragma once

#include <cstdint>

#include "kernels/gemm/gemm_gpu.h"

namespace kernels::gpu {

// How a quantised matrix [n][k] lies in device memory. It is cut into cells of 32 rows and 32 values of k, the rows
// padded with zeros to whole cells, so that what a lane of a warp loads at once (16 bytes, 32 nibbles) is operand A of
// four m16n8k16 instructions (primitives/gpu/mma.h): two tiles of 16 rows by two instructions along k.
//
//   data   : [cells of rows][cells of k][planes][32 lanes][4 words of 32 bits]
//   scales : Q8_0, Q4_0  [cells of rows][cells of k][8 groups][4] f16 d
//            Q4_1        [cells of rows][cells of k][8 groups][4] {f16 d, f16 m}
//            Q4_K        [cells of rows][k / 256] of 640 bytes: [8 cells of k][8 groups]{u8 scale[4], u8 minimum[4]},
//                        then [8 groups][4] {f16 d, f16 dmin}; the six bits of the file as bytes, the values unchanged
//
// Word 2 * tile + half of lane (group = lane / 4, pair = lane % 4): nibble i of eight lies at bits (3 + 4 i) mod 32 and
// on, and is of
//   row 16 * tile + group + 8 * (i % 2)
//   k   8 * pair + 4 * half + 2 * (i / 2 % 2) + i / 4
// Nibble i + 4 is thus 16 bits above nibble i and its right neighbour in the row; a rotation by 4 i brings the two to
// bits 3 and 19, where they are the upper four mantissa bits of a pair of BF16. Within a cell a lane has the same eight
// values of k, 8 * pair and on, in all rows: that is 16 bytes of x as they lie in memory. Entry e of a group's four
// scales is of row group + 8 * e of the cell. Q8_0 has two planes of nibbles: the low ones, and the high ones plus 8,
// so that byte = 16 * (high - 8) + low.
inline constexpr int kCell = 32;
inline constexpr int kCellPlaneBytes = 512;
inline constexpr int kQ4KRecordBytes = 640;
inline constexpr int kQ4KRecordCells = 8;

constexpr bool IsQuantised(MatrixFormat format) {
  return format != MatrixFormat::kBf16 && format != MatrixFormat::kFp8;
}
constexpr int PlanesOf(MatrixFormat format) { return format == MatrixFormat::kQ8_0 ? 2 : 1; }
// Bytes of scales of a cell; Q4_K has 128 more for each eight cells along k.
constexpr int CellScaleBytes(MatrixFormat format) { return format == MatrixFormat::kQ4_1 ? 128 : 64; }

constexpr std::int64_t CellsOf(std::int64_t values) { return (values + kCell - 1) / kCell; }
constexpr std::int64_t QuantDataBytes(MatrixFormat format, std::int64_t n, std::int64_t k) {
  return CellsOf(n) * (k / kCell) * PlanesOf(format) * kCellPlaneBytes;
}
constexpr std::int64_t QuantScaleBytes(MatrixFormat format, std::int64_t n, std::int64_t k) {
  if (format == MatrixFormat::kQ4_K) return CellsOf(n) * (k / kCell / kQ4KRecordCells) * kQ4KRecordBytes;
  return CellsOf(n) * (k / kCell) * CellScaleBytes(format);
}

}  // namespace kernels::gpu
