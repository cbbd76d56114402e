#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"

namespace tensor {

// Element types that the kernels can compute with, numbered as `ggml_type` in the GGUF specification (docs/gguf.md of
// ggml): the number in the file is the value here.
enum class DType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,   // 32 values in 18 bytes: f16 d, 16 bytes of nibbles;         value = d * (nibble - 8)
  kQ4_1 = 3,   // 32 values in 20 bytes: f16 d, f16 m, 16 bytes of nibbles;  value = d * nibble + m
  kQ5_0 = 6,   // Q4_0 with a fifth bit for each value: 32 values in 22 bytes
  kQ5_1 = 7,   // Q4_1 with a fifth bit for each value: 32 values in 24 bytes
  kQ8_0 = 8,   // 32 values in 34 bytes: f16 d, 32 signed bytes;             value = d * byte
  kQ4_K = 12,  // 256 values in 144 bytes: 8 groups of 32 nibbles with 6-bit scales and minima under an f16 pair
  kQ5_K = 13,  // Q4_K with a fifth bit for each value: 256 values in 176 bytes
  kQ6_K = 14,  // 256 values in 210 bytes: 16 groups of 16 six-bit values with 8-bit scales under an f16
  kBF16 = 30,
};
// In the nibble types of 32 byte i of a block holds value i in its low half and value i + 16 in its high half.

// How the values of a row are packed: `bytes` bytes hold `values` consecutive values; 1 value for the plain types.
struct BlockLayout {
  std::uint32_t values = 0;
  std::uint32_t bytes = 0;
};

BlockLayout LayoutOf(DType dtype);
std::string_view DTypeName(DType dtype);  // "F32", "Q4_1", ...

// The type with this number in a GGUF file. FailedPrecondition (permanent: convert the file) when it is not supported,
// with its name where the specification gives one ("Q2_K (10)").
absl::StatusOr<DType> DTypeFromGguf(std::uint32_t number);

// Bytes of one row of `cols` values. InvalidArgument when `cols` is 0 or not whole blocks, OutOfRange on overflow.
absl::StatusOr<std::uint64_t> RowBytes(DType dtype, std::uint64_t cols);

}  // namespace tensor
