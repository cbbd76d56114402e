#include "kernels/quant/repack_quant.h"

#include "kernels/primitives/gpu/device.h"
#include "kernels/quant/quant_layout.h"

namespace kernels::gpu {
namespace {

constexpr int kThreads = 256;

// Byte `value` of Q8_0 or nibble `value` of the others, of a block that holds at least 32 values. `group`: which 32 of
// a super-block.
template <MatrixFormat kFormat>
__device__ int QuantOf(const std::uint8_t* block, int group, int value) {
  if constexpr (kFormat == MatrixFormat::kQ8_0) return block[2 + value];
  if constexpr (kFormat == MatrixFormat::kQ4_K) return block[16 + group / 2 * 32 + value] >> group % 2 * 4 & 0xF;
  constexpr int kHeader = kFormat == MatrixFormat::kQ4_0 ? 2 : 4;
  return block[kHeader + value % 16] >> value / 16 * 4 & 0xF;
}

// The scale and the minimum, six bits each, of a group of a Q4_K super-block (dequantize_ref.cpp says where they lie).
__device__ inline uchar2 ScaleAndMinimum(const std::uint8_t* block, int group) {
  const std::uint8_t* packed = block + 4;
  if (group < 4) {
    return make_uchar2(static_cast<std::uint8_t>(packed[group] & 63),
                       static_cast<std::uint8_t>(packed[group + 4] & 63));
  }
  const int low = packed[group + 4];
  return make_uchar2(static_cast<std::uint8_t>((low & 0xF) | packed[group - 4] >> 6 << 4),
                     static_cast<std::uint8_t>(low >> 4 | packed[group] >> 6 << 4));
}

struct Cells {
  const std::uint8_t* file;
  std::uint8_t *data, *scales;
  std::int64_t row_bytes, cells_k;
  std::int32_t n;
};

// The block of row `row` that holds cell `cell_k`; nullptr beyond the last row.
template <MatrixFormat kFormat, int kBlockBytes>
__device__ const std::uint8_t* BlockAt(const Cells& cells, std::int64_t row, std::int64_t cell_k) {
  if (row >= cells.n) return nullptr;
  const std::int64_t block = kFormat == MatrixFormat::kQ4_K ? cell_k / kQ4KRecordCells : cell_k;
  return cells.file + row * cells.row_bytes + block * kBlockBytes;
}

// What lane `lane` multiplies of a cell.
template <MatrixFormat kFormat, int kBlockBytes>
__device__ void PackNibbles(const Cells& cells, std::int64_t cell_n, std::int64_t cell_k, int lane) {
  constexpr int kPlanes = PlanesOf(kFormat);
  const int group = lane / 4, pair = lane % 4;
  std::uint32_t words[kPlanes][4] = {};
  for (int entry = 0; entry < 4; ++entry) {  // rows group + 8 * entry
    const std::uint8_t* block = BlockAt<kFormat, kBlockBytes>(cells, cell_n * kCell + group + 8 * entry, cell_k);
    if (block == nullptr) continue;
    for (int i = 0; i < 8; ++i) {
      const int quant = QuantOf<kFormat>(block, static_cast<int>(cell_k % kQ4KRecordCells), 8 * pair + i);
      const int word = entry / 2 * 2 + i / 4;
      const int nibble = entry % 2 + i % 4 / 2 * 2 + i % 2 * 4;
      const int bit = 3 + 4 * nibble;
      for (int plane = 0; plane < kPlanes; ++plane) {
        auto bits = static_cast<std::uint32_t>(quant >> 4 * plane & 0xF);
        if (plane == 1) bits ^= 8U;
        words[plane][word] |= bit < 32 ? bits << bit : 0U;
        if (bit > 28) words[plane][word] |= bits >> (32 - bit);  // the last one goes round
      }
    }
  }
  auto* out =
      reinterpret_cast<uint4*>(cells.data + (cell_n * cells.cells_k + cell_k) * kPlanes * kCellPlaneBytes) + lane;
  for (int plane = 0; plane < kPlanes; ++plane) {
    out[plane * kWarpLanes] = make_uint4(words[plane][0], words[plane][1], words[plane][2], words[plane][3]);
  }
}

// The scales of row `row` (0 .. 31) of a cell.
template <MatrixFormat kFormat, int kBlockBytes>
__device__ void PackScales(const Cells& cells, std::int64_t cell_n, std::int64_t cell_k, int row) {
  const int group = row % 8, entry = row / 8;
  const std::uint8_t* block = BlockAt<kFormat, kBlockBytes>(cells, cell_n * kCell + row, cell_k);
  std::uint16_t first = 0, second = 0;
  if (block != nullptr) {
    const auto* halves = reinterpret_cast<const std::uint16_t*>(block);
    first = halves[0];
    if constexpr (kFormat == MatrixFormat::kQ4_1 || kFormat == MatrixFormat::kQ4_K) second = halves[1];
  }
  if constexpr (kFormat == MatrixFormat::kQ4_K) {
    const std::int64_t records_k = cells.cells_k / kQ4KRecordCells;
    const auto in_record = static_cast<int>(cell_k % kQ4KRecordCells);
    std::uint8_t* record = cells.scales + (cell_n * records_k + cell_k / kQ4KRecordCells) * kQ4KRecordBytes;
    const uchar2 six_bits = block != nullptr ? ScaleAndMinimum(block, in_record) : make_uchar2(0, 0);
    record[in_record * 64 + group * 8 + entry] = six_bits.x;
    record[in_record * 64 + group * 8 + 4 + entry] = six_bits.y;
    if (in_record == 0) reinterpret_cast<ushort2*>(record + 512)[group * 4 + entry] = make_ushort2(first, second);
  } else {
    std::uint8_t* cell = cells.scales + (cell_n * cells.cells_k + cell_k) * CellScaleBytes(kFormat);
    if constexpr (kFormat == MatrixFormat::kQ4_1) {
      reinterpret_cast<ushort2*>(cell)[group * 4 + entry] = make_ushort2(first, second);
    } else {
      reinterpret_cast<std::uint16_t*>(cell)[group * 4 + entry] = first;
    }
  }
}

// A warp a cell. Runs once a model, bound by the file and the bus.
template <MatrixFormat kFormat, int kBlockBytes>
__global__ void __launch_bounds__(kThreads) RepackKernel(Cells cells, std::int64_t cells_total) {
  const int lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const std::int64_t cell = (std::int64_t{blockIdx.x} * kThreads + threadIdx.x) / kWarpLanes;
  if (cell >= cells_total) return;
  PackNibbles<kFormat, kBlockBytes>(cells, cell / cells.cells_k, cell % cells.cells_k, lane);
  PackScales<kFormat, kBlockBytes>(cells, cell / cells.cells_k, cell % cells.cells_k, lane);
}

template <MatrixFormat kFormat, WeightFormat kFrom>
LaunchResult RunRepackOf(const Repack& repack, Stream stream) {
  GPU_REQUIRE(repack.from == kFrom);  // a quantised matrix is made from its namesake
  GPU_REQUIRE(reinterpret_cast<std::uintptr_t>(repack.file) % 2 == 0);
  const Cells cells{.file = repack.file,
                    .data = static_cast<std::uint8_t*>(repack.data),
                    .scales = static_cast<std::uint8_t*>(repack.scales),
                    .row_bytes = RowBytes(kFrom, repack.k),
                    .cells_k = repack.k / kCell,
                    .n = repack.n};
  const std::int64_t cells_total = CellsOf(repack.n) * cells.cells_k;
  const LaunchShape shape{.grid = dim3(BlocksFor(cells_total * kWarpLanes, kThreads)), .block = dim3(kThreads)};
  return Launch(RepackKernel<kFormat, static_cast<int>(BlockOf(kFrom).bytes)>, shape, stream, cells, cells_total);
}

}  // namespace

RepackedBytes BytesOfQuantMatrix(MatrixFormat to, std::int32_t n, std::int32_t k) {
  return {QuantDataBytes(to, n, k), QuantScaleBytes(to, n, k)};
}

LaunchResult RunRepackQuant(const Repack& repack, Stream stream) {
  switch (repack.to) {
    case MatrixFormat::kQ8_0:
      return RunRepackOf<MatrixFormat::kQ8_0, WeightFormat::kQ8_0>(repack, stream);
    case MatrixFormat::kQ4_0:
      return RunRepackOf<MatrixFormat::kQ4_0, WeightFormat::kQ4_0>(repack, stream);
    case MatrixFormat::kQ4_1:
      return RunRepackOf<MatrixFormat::kQ4_1, WeightFormat::kQ4_1>(repack, stream);
    case MatrixFormat::kQ4_K:
      return RunRepackOf<MatrixFormat::kQ4_K, WeightFormat::kQ4_K>(repack, stream);
    case MatrixFormat::kBf16:
    case MatrixFormat::kFp8:
      break;
  }
  return LaunchResult::Refused("requires a quantised matrix format");
}

}  // namespace kernels::gpu
