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
  kQ4_0 = 2,  // 32 values in 18 bytes: f16 d, 16 bytes of nibbles;         value = d * (nibble - 8)
  kQ4_1 = 3,  // 32 values in 20 bytes: f16 d, f16 m, 16 bytes of nibbles;  value = d * nibble + m
  kQ8_0 = 8,  // 32 values in 34 bytes: f16 d, 32 signed bytes;             value = d * byte
  kBF16 = 30,
};
// In the two nibble types byte i of a block holds value i in its low half and value i + 16 in its high half.

// How the values of a row are packed: `bytes` bytes hold `values` consecutive values; 1 value for the plain types.
struct BlockLayout {
  std::uint32_t values = 0;
  std::uint32_t bytes = 0;
};

BlockLayout LayoutOf(DType dtype);
std::string_view DTypeName(DType dtype);  // "F32", "Q4_1", ...

// The type with this number in a GGUF file. FailedPrecondition (permanent: convert the file) when it is not supported,
// with its name where the specification gives one ("Q4_K (12)").
absl::StatusOr<DType> DTypeFromGguf(std::uint32_t number);

// Bytes of one row of `cols` values. InvalidArgument when `cols` is 0 or not whole blocks, OutOfRange on overflow.
absl::StatusOr<std::uint64_t> RowBytes(DType dtype, std::uint64_t cols);

}  // namespace tensor
