#pragma once

#include <cstdint>

#include "kernels/gemm/gemm_gpu.h"
#include "kernels/primitives/gpu/launch_result.h"
#include "kernels/quant/weight_format.h"

namespace kernels::gpu {

// Turns rows of a GGUF file, as they lie there (quant/weight_format.h), into a matrix of the device, on the device.
//   file : [n][RowBytes(from, k)] in device memory, aligned to 16 bytes for F32, F16 and BF16, to 2 for the others
//   data, scales : RepackedBytes, aligned to 16 bytes; kBf16 and kFp8 row-major, the others as in quant/quant_layout.h
// REQUIRES: k a multiple of 32, and whole blocks of `from`. NaN stays NaN, in its own place alone.
struct Repack {
  const std::uint8_t* file;
  WeightFormat from;
  std::int32_t n, k;
  MatrixFormat to;
  void* data;
  void* scales;
};
struct RepackedBytes {
  std::int64_t data, scales;
};
// What `to` needs for n rows of k columns.
RepackedBytes BytesOfMatrix(MatrixFormat to, std::int32_t n, std::int32_t k);
// Any format can become kBf16 or kFp8 (one scale a row: the largest magnitude / 448); a quantised one its own namesake.
LaunchResult RunRepack(const Repack& repack, Stream stream);

// x[r] = row token_ids[r] of the embedding, widened to F32. A negative id names a token that the host does not know
// yet: -1 - i is previous_picks[i], what sampling picked in the step before.
//   embedding : [rows_total][RowBytes(format, width)] in device memory, as in the file, and aligned as for Repack
// REQUIRES: width a multiple of 8; x aligned to 16 bytes. An id that is no row's reads row 0.
struct EmbedRows {
  const std::uint8_t* embedding;
  WeightFormat format;
  std::int32_t rows_total, width;
  const std::int32_t* token_ids;       // [rows] in device memory, below rows_total
  const std::int32_t* previous_picks;  // in device memory; nullptr: no negative ids. A pick of -1 reads row 0
  std::int32_t previous_count;         // entries of that array, picked or not: no id reads beyond it
  std::int32_t rows;
  float* x;  // [rows][width]
};
LaunchResult RunEmbedRows(const EmbedRows& embed, Stream stream);

}  // namespace kernels::gpu
