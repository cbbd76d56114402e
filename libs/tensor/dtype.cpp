#include "libs/tensor/dtype.h"

#include <string>

#include "absl/status/status.h"
#include "libs/base/check.h"
#include "libs/base/str_cat.h"

namespace tensor {
namespace {

// Names of `ggml_type` values for error messages; types that were removed from the specification have none.
std::string_view NameInSpecification(std::uint32_t number) {
  switch (number) {
    case 0:
      return "F32";
    case 1:
      return "F16";
    case 2:
      return "Q4_0";
    case 3:
      return "Q4_1";
    case 6:
      return "Q5_0";
    case 7:
      return "Q5_1";
    case 8:
      return "Q8_0";
    case 9:
      return "Q8_1";
    case 10:
      return "Q2_K";
    case 11:
      return "Q3_K";
    case 12:
      return "Q4_K";
    case 13:
      return "Q5_K";
    case 14:
      return "Q6_K";
    case 15:
      return "Q8_K";
    case 16:
      return "IQ2_XXS";
    case 17:
      return "IQ2_XS";
    case 18:
      return "IQ3_XXS";
    case 19:
      return "IQ1_S";
    case 20:
      return "IQ4_NL";
    case 21:
      return "IQ3_S";
    case 22:
      return "IQ2_S";
    case 23:
      return "IQ4_XS";
    case 24:
      return "I8";
    case 25:
      return "I16";
    case 26:
      return "I32";
    case 27:
      return "I64";
    case 28:
      return "F64";
    case 29:
      return "IQ1_M";
    case 30:
      return "BF16";
    case 34:
      return "TQ1_0";
    case 35:
      return "TQ2_0";
    case 39:
      return "MXFP4";
    default:
      return "unknown";
  }
}

}  // namespace

BlockLayout LayoutOf(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return {.values = 1, .bytes = 4};
    case DType::kF16:
      return {.values = 1, .bytes = 2};
    case DType::kBF16:
      return {.values = 1, .bytes = 2};
    case DType::kQ4_0:
      return {.values = 32, .bytes = 18};
    case DType::kQ4_1:
      return {.values = 32, .bytes = 20};
    case DType::kQ5_0:
      return {.values = 32, .bytes = 22};
    case DType::kQ5_1:
      return {.values = 32, .bytes = 24};
    case DType::kQ8_0:
      return {.values = 32, .bytes = 34};
    case DType::kQ4_K:
      return {.values = 256, .bytes = 144};
    case DType::kQ5_K:
      return {.values = 256, .bytes = 176};
    case DType::kQ6_K:
      return {.values = 256, .bytes = 210};
  }
  base::CheckFailed("a DType", __FILE__, __LINE__, "not made by DTypeFromGguf");
}

std::string_view DTypeName(DType dtype) { return NameInSpecification(static_cast<std::uint32_t>(dtype)); }

absl::StatusOr<DType> DTypeFromGguf(std::uint32_t number) {
  switch (static_cast<DType>(number)) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kQ4_0:
    case DType::kQ4_1:
    case DType::kQ5_0:
    case DType::kQ5_1:
    case DType::kQ8_0:
    case DType::kQ4_K:
    case DType::kQ5_K:
    case DType::kQ6_K:
      return static_cast<DType>(number);
  }
  return absl::FailedPreconditionError(
      base::StrCat("type ", NameInSpecification(number), " (", number,
                   ") is not supported; convert the model to F32, F16, BF16, Q8_0, Q6_K, "
                   "Q5_K, Q4_K, Q5_0, Q5_1, Q4_0 or Q4_1"));
}

absl::StatusOr<std::uint64_t> RowBytes(DType dtype, std::uint64_t cols) {
  const BlockLayout layout = LayoutOf(dtype);
  if (cols == 0 || cols % layout.values != 0) {
    return absl::InvalidArgumentError(
        base::StrCat("a row of ", cols, " values is not whole blocks of ", layout.values, " ", DTypeName(dtype)));
  }
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(cols / layout.values, std::uint64_t{layout.bytes}, &bytes)) {
    return absl::OutOfRangeError(base::StrCat("a row of ", cols, " values overflows 64 bits"));
  }
  return bytes;
}

}  // namespace tensor
