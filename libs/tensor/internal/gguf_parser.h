#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/tensor/gguf.h"
#include "libs/tensor/internal/byte_cursor.h"

namespace tensor {

// Reads one file from front to back into a GgufFile: header, metadata, tensor table, then the checks that need all
// tensors. Used once. The first problem ends it.
class GgufParser {
 public:
  explicit GgufParser(std::span<const std::byte> bytes) : bytes_(bytes), cursor_(bytes) {}

  absl::StatusOr<std::unique_ptr<GgufFile>> Parse();

 private:
  // A tensor's entry in the table; `offset` counts from the start of the data section.
  struct TableEntry {
    Tensor tensor;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };

  // DataLoss with the reading position, so that a hex dump shows the place.
  absl::Status DataLoss(std::string_view reason) const;

  absl::Status ReadHeader();
  absl::StatusOr<std::string_view> ReadString(std::uint64_t bytes_max, std::string_view what);
  absl::Status ReadMetadataEntry();
  absl::StatusOr<GgufFile::MetadataValue> ReadScalar(MetadataType type);
  absl::StatusOr<GgufFile::MetadataValue> ReadArray();
  absl::Status ReadAlignment();
  absl::Status ReadTensorEntry();
  absl::Status ReadShape(Tensor& tensor);
  absl::StatusOr<std::uint64_t> TensorSize(Tensor& tensor) const;
  absl::Status PlaceTensors();
  absl::Status CheckNoOverlapOrHole() const;

  std::span<const std::byte> bytes_;
  ByteCursor cursor_;
  std::unique_ptr<GgufFile> file_;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t metadata_count_ = 0;
  std::vector<TableEntry> table_;
};

}  // namespace tensor
