// Compares the GGUF reader with ggml's own on the default model file; generate.py beside this file says how golden.tsv
// was made.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/tensor/gguf.h"
#include "tests/golden/escaped_text.h"
#include "tests/golden/model_path.h"

namespace tensor {
namespace {

using Fields = std::vector<std::string_view>;

std::uint64_t Fnv1a(std::span<const std::byte> bytes, std::uint64_t value = 0xCBF29CE484222325) {
  for (const std::byte byte : bytes) value = (value ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001B3;
  return value;
}

class GgufGoldenTest : public testing::Test {
 protected:
  void SetUp() override {
    auto file = GgufFile::Open(golden::ModelPath());
    ASSERT_TRUE(file.ok()) << file.status() << golden::kModelHint;
    file_ = *std::move(file);
    std::ifstream golden_file(golden::SourcePath("tests/golden/tensor/golden.tsv"));
    for (std::string line; std::getline(golden_file, line);) lines_.push_back(line);
    ASSERT_FALSE(lines_.empty());
  }
  // The rows of one kind, split.
  std::vector<Fields> Rows(std::string_view kind) const {
    std::vector<Fields> rows;
    for (const std::string& line : lines_) {
      Fields fields = golden::Split(line, '\t');
      if (fields[0] == kind) rows.push_back(std::move(fields));
    }
    return rows;
  }

  std::unique_ptr<const GgufFile> file_;
  std::vector<std::string> lines_;
};

TEST_F(GgufGoldenTest, EveryTensorIsWhereTheReferenceFindsIt) {
  const std::vector<Fields> rows = Rows("tensor");
  ASSERT_EQ(rows.size(), file_->tensors().size());
  ASSERT_FALSE(rows.empty());
  // Offsets are compared from the first tensor on: only the reader knows where the mapping starts.
  const std::byte* first = file_->FindTensor(rows[0][1])->data.data();
  const auto first_offset = golden::Number<std::uint64_t>(rows[0][4], 10);
  for (const Fields& row : rows) {
    const Tensor* tensor = file_->FindTensor(row[1]);
    ASSERT_NE(tensor, nullptr) << row[1];
    EXPECT_EQ(DTypeName(tensor->dtype), row[2]) << row[1];
    std::vector<std::uint64_t> shape;
    for (const std::string_view extent : golden::Split(row[3], ' ')) {
      shape.push_back(golden::Number<std::uint64_t>(extent, 10));
    }
    EXPECT_EQ(tensor->shape, shape) << row[1];
    EXPECT_EQ(tensor->data.data() - first,
              static_cast<std::ptrdiff_t>(golden::Number<std::uint64_t>(row[4], 10) - first_offset))
        << row[1];
    EXPECT_EQ(tensor->data.size(), golden::Number<std::uint64_t>(row[5], 10)) << row[1];
    EXPECT_EQ(Fnv1a(tensor->data.first(std::min<std::size_t>(4096, tensor->data.size()))),
              golden::Number<std::uint64_t>(row[6], 16))
        << row[1];
  }
}

TEST_F(GgufGoldenTest, EveryMetadataValueEqualsTheReference) {
  const std::vector<Fields> values = Rows("value");
  const std::vector<Fields> arrays = Rows("array");
  EXPECT_EQ(values.size() + arrays.size(), file_->MetadataKeys().size());
  for (const Fields& row : values) {
    if (row[2] == "uint") {
      EXPECT_EQ(file_->GetUint(row[1]).value(), golden::Number<std::uint64_t>(row[3], 10)) << row[1];
    } else if (row[2] == "float") {
      EXPECT_EQ(file_->GetFloat(row[1]).value(), std::strtod(std::string(row[3]).c_str(), nullptr)) << row[1];
    } else if (row[2] == "bool") {
      EXPECT_EQ(file_->GetBool(row[1]).value(), row[3] == "1") << row[1];
    } else {
      EXPECT_EQ(file_->GetString(row[1]).value(), golden::Unescaped(row[3])) << row[1];
    }
  }
  for (const Fields& row : arrays) {
    std::uint64_t hash = Fnv1a({});
    std::size_t count = 0;
    if (row[2] == "string") {
      const std::vector<std::string_view> texts = file_->GetStringArray(row[1]).value();
      for (const std::string_view text : texts) {
        hash = Fnv1a(std::as_bytes(std::span(text)), hash);
        hash = Fnv1a(std::as_bytes(std::span("", 1)), hash);
        ++count;
      }
    } else {
      const std::vector<std::int32_t> numbers = file_->GetInt32Array(row[1]).value();
      hash = Fnv1a(std::as_bytes(std::span(numbers)));
      count = numbers.size();
    }
    EXPECT_EQ(count, golden::Number<std::size_t>(row[3], 10)) << row[1];
    EXPECT_EQ(hash, golden::Number<std::uint64_t>(row[4], 16)) << row[1];
  }
}

}  // namespace
}  // namespace tensor
