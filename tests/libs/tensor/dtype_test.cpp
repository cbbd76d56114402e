#include "libs/tensor/dtype.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "libs/base/str_cat.h"

namespace tensor {
namespace {

TEST(DTypeTest, RowBytesOfEveryType) {
  EXPECT_EQ(RowBytes(DType::kF32, 576).value(), 2304u);
  EXPECT_EQ(RowBytes(DType::kF16, 3).value(), 6u);
  EXPECT_EQ(RowBytes(DType::kBF16, 3).value(), 6u);
  EXPECT_EQ(RowBytes(DType::kQ4_0, 576).value(), 18u * 18u);
  EXPECT_EQ(RowBytes(DType::kQ4_1, 576).value(), 18u * 20u);
  EXPECT_EQ(RowBytes(DType::kQ5_0, 576).value(), 18u * 22u);
  EXPECT_EQ(RowBytes(DType::kQ5_1, 576).value(), 18u * 24u);
  EXPECT_EQ(RowBytes(DType::kQ8_0, 576).value(), 18u * 34u);
  EXPECT_EQ(RowBytes(DType::kQ4_K, 768).value(), 3u * 144u);
  EXPECT_EQ(RowBytes(DType::kQ5_K, 768).value(), 3u * 176u);
  EXPECT_EQ(RowBytes(DType::kQ6_K, 768).value(), 3u * 210u);
}

TEST(DTypeTest, ARowIsWholeBlocks) {
  EXPECT_EQ(RowBytes(DType::kQ4_1, 31).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RowBytes(DType::kQ4_1, 33).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RowBytes(DType::kQ6_K, 576).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RowBytes(DType::kF32, 0).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(DTypeTest, RowBytesDoesNotOverflow) {
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(RowBytes(DType::kF32, kHuge).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(RowBytes(DType::kF32, kHuge / 4 + 1).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(RowBytes(DType::kF32, kHuge / 4).value(), kHuge - 3);
  EXPECT_EQ(RowBytes(DType::kQ8_0, kHuge - 31).status().code(), absl::StatusCode::kOutOfRange);
}

TEST(DTypeTest, NumbersAreThoseOfTheSpecification) {
  for (const auto& [number, name] : {std::pair{0u, "F32"},
                                     {1u, "F16"},
                                     {2u, "Q4_0"},
                                     {3u, "Q4_1"},
                                     {6u, "Q5_0"},
                                     {7u, "Q5_1"},
                                     {8u, "Q8_0"},
                                     {12u, "Q4_K"},
                                     {13u, "Q5_K"},
                                     {14u, "Q6_K"},
                                     {30u, "BF16"}}) {
    ASSERT_TRUE(DTypeFromGguf(number).ok()) << name;
    EXPECT_EQ(DTypeName(*DTypeFromGguf(number)), name);
  }
}

TEST(DTypeTest, AnUnsupportedTypeIsNamed) {
  for (std::uint32_t number = 0; number < 64; ++number) {
    const auto dtype = DTypeFromGguf(number);
    if (dtype.ok()) continue;
    EXPECT_EQ(dtype.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(std::string(dtype.status().message()).find(base::StrCat("(", number, ")")), std::string::npos);
  }
  EXPECT_NE(std::string(DTypeFromGguf(10).status().message()).find("Q2_K (10)"), std::string::npos);
}

}  // namespace
}  // namespace tensor
