#include "libs/tensor/internal/gguf_parser.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "libs/base/check.h"
#include "libs/base/str_cat.h"

namespace tensor {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"

// The least that one entry can take, so that a count is refused before anything is reserved for it: key length, key,
// type and value; name length, name, dimensions, shape, type and offset.
constexpr std::uint64_t kMetadataEntryBytesMin = 8 + 1 + 4 + 1;
constexpr std::uint64_t kTensorEntryBytesMin = 8 + 1 + 4 + 8 + 4 + 8;

std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// File text in a message: escaped and cut, since it may be anything.
std::string Quoted(std::string_view text) {
  constexpr std::size_t kShownMax = 80;
  return base::StrCat("\"", absl::CHexEscape({text.data(), std::min(text.size(), kShownMax)}),
                      text.size() > kShownMax ? "...\"" : "\"");
}

bool AllBools(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return std::to_integer<unsigned>(byte) <= 1; });
}

// REQUIRES: alignment is a power of two.
std::optional<std::uint64_t> AlignUp(std::uint64_t value, std::uint64_t alignment) {
  std::uint64_t raised = 0;
  if (__builtin_add_overflow(value, alignment - 1, &raised)) return std::nullopt;
  return raised & ~(alignment - 1);
}

}  // namespace

std::optional<std::uint64_t> EncodedBytes(MetadataType type) {
  switch (type) {
    case MetadataType::kUint8:
    case MetadataType::kInt8:
    case MetadataType::kBool:
      return 1;
    case MetadataType::kUint16:
    case MetadataType::kInt16:
      return 2;
    case MetadataType::kUint32:
    case MetadataType::kInt32:
    case MetadataType::kFloat32:
      return 4;
    case MetadataType::kUint64:
    case MetadataType::kInt64:
    case MetadataType::kFloat64:
      return 8;
    case MetadataType::kString:
    case MetadataType::kArray:
      return 0;
  }
  return std::nullopt;
}

absl::Status GgufParser::DataLoss(std::string_view reason) const {
  return absl::DataLossError(base::StrCat("GGUF byte ", cursor_.offset(), ": ", reason));
}

absl::StatusOr<std::unique_ptr<GgufFile>> GgufParser::Parse() {
  file_ = std::unique_ptr<GgufFile>(new GgufFile());
  if (absl::Status status = ReadHeader(); !status.ok()) return status;
  file_->metadata_.reserve(static_cast<std::size_t>(metadata_count_));
  for (std::uint64_t i = 0; i < metadata_count_; ++i) {
    if (absl::Status status = ReadMetadataEntry(); !status.ok()) return status;
  }
  if (absl::Status status = ReadAlignment(); !status.ok()) return status;
  table_.reserve(static_cast<std::size_t>(tensor_count_));
  for (std::uint64_t i = 0; i < tensor_count_; ++i) {
    if (absl::Status status = ReadTensorEntry(); !status.ok()) return status;
  }
  if (absl::Status status = PlaceTensors(); !status.ok()) return status;
  return std::move(file_);
}

absl::Status GgufParser::ReadHeader() {
  const auto magic = cursor_.Read<std::uint32_t>();
  if (!magic.has_value() || *magic != kMagic)
    return DataLoss("not a GGUF file (the first four bytes are not \"GGUF\")");
  const auto version = cursor_.Read<std::uint32_t>();
  if (!version.has_value()) return DataLoss("the file ends inside its version");
  if ((*version & 0xFFFFU) == 0 && *version != 0) {
    return absl::FailedPreconditionError("a big-endian GGUF file; convert the model to little endian");
  }
  if (*version != 2 && *version != 3) {
    return absl::FailedPreconditionError(base::StrCat("GGUF version ", *version, " is not supported (2 and 3 are)"));
  }
  file_->version_ = *version;
  const auto tensors = cursor_.Read<std::uint64_t>();
  const auto entries = cursor_.Read<std::uint64_t>();
  if (!tensors.has_value() || !entries.has_value()) return DataLoss("the file ends inside its counts");
  if (*tensors > kTensorsMax || *tensors > cursor_.remaining() / kTensorEntryBytesMin) {
    return DataLoss(
        base::StrCat("a count of ", *tensors, " tensors is more than the file can hold or than ", kTensorsMax));
  }
  if (*entries > kMetadataEntriesMax || *entries > cursor_.remaining() / kMetadataEntryBytesMin) {
    return DataLoss(base::StrCat("a count of ", *entries, " metadata entries is more than the file can hold or than ",
                                 kMetadataEntriesMax));
  }
  tensor_count_ = *tensors;
  metadata_count_ = *entries;
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> GgufParser::ReadString(std::uint64_t bytes_max, std::string_view what) {
  const auto length = cursor_.Read<std::uint64_t>();
  if (!length.has_value()) return DataLoss(base::StrCat("the file ends inside the length of a ", what));
  if (*length > bytes_max) {
    return DataLoss(base::StrCat("a ", what, " of ", *length, " bytes is over the limit of ", bytes_max));
  }
  const auto bytes = cursor_.Take(*length);
  if (!bytes.has_value()) {
    return DataLoss(base::StrCat("a ", what, " of ", *length, " bytes reaches past the end of the file"));
  }
  return AsText(*bytes);
}

absl::Status GgufParser::ReadMetadataEntry() {
  absl::StatusOr<std::string_view> key = ReadString(kKeyBytesMax, "metadata key");
  if (!key.ok()) return key.status();
  if (key->empty()) return DataLoss("an empty metadata key");
  const auto type = cursor_.Read<std::uint32_t>();
  if (!type.has_value()) return DataLoss(base::StrCat("the file ends inside the type of key ", Quoted(*key)));
  const auto metadata_type = static_cast<MetadataType>(*type);
  if (!EncodedBytes(metadata_type).has_value())
    return DataLoss(base::StrCat("key ", Quoted(*key), " has no such type: ", *type));
  auto value = metadata_type == MetadataType::kArray ? ReadArray() : ReadScalar(metadata_type);
  if (!value.ok()) {
    return absl::Status(value.status().code(), base::StrCat(value.status().message(), " (key ", Quoted(*key), ")"));
  }
  if (!file_->metadata_.emplace(*key, *value).second)
    return DataLoss(base::StrCat("key ", Quoted(*key), " stands twice"));
  return absl::OkStatus();
}

absl::StatusOr<GgufFile::MetadataValue> GgufParser::ReadScalar(MetadataType type) {
  if (type == MetadataType::kString) {
    absl::StatusOr<std::string_view> text = ReadString(kStringBytesMax, "string");
    if (!text.ok()) return text.status();
    return GgufFile::MetadataValue{.type = type, .bytes = std::as_bytes(std::span(*text))};
  }
  const auto bytes = cursor_.Take(*EncodedBytes(type));
  if (!bytes.has_value()) return DataLoss("the file ends inside a metadata value");
  if (type == MetadataType::kBool && !AllBools(*bytes)) return DataLoss("a bool that is neither 0 nor 1");
  return GgufFile::MetadataValue{.type = type, .bytes = *bytes};
}

absl::StatusOr<GgufFile::MetadataValue> GgufParser::ReadArray() {
  const auto element_type = cursor_.Read<std::uint32_t>();
  const auto count = cursor_.Read<std::uint64_t>();
  if (!element_type.has_value() || !count.has_value()) return DataLoss("the file ends inside the head of an array");
  const auto type = static_cast<MetadataType>(*element_type);
  const std::optional<std::uint64_t> element_size = EncodedBytes(type);
  if (!element_size.has_value()) return DataLoss(base::StrCat("an array of no such type: ", *element_type));
  if (*count > kArrayElementsMax) {
    return DataLoss(base::StrCat("an array of ", *count, " elements is over the limit of ", kArrayElementsMax));
  }
  if (type == MetadataType::kArray) return DataLoss("an array of arrays, which no known model has");
  GgufFile::MetadataValue value;
  value.type = MetadataType::kArray;
  value.element_type = type;
  value.count = *count;
  const std::size_t start = cursor_.offset();
  if (type == MetadataType::kString) {
    for (std::uint64_t i = 0; i < *count; ++i) {
      if (absl::StatusOr<std::string_view> text = ReadString(kStringBytesMax, "string"); !text.ok())
        return text.status();
    }
    value.bytes = bytes_.subspan(start, cursor_.offset() - start);
    return value;
  }
  std::uint64_t size = 0;
  if (__builtin_mul_overflow(*count, *element_size, &size)) return DataLoss("the size of an array overflows 64 bits");
  const auto bytes = cursor_.Take(size);
  if (!bytes.has_value())
    return DataLoss(base::StrCat("an array of ", *count, " elements reaches past the end of the file"));
  if (type == MetadataType::kBool && !AllBools(*bytes)) return DataLoss("a bool that is neither 0 nor 1");
  value.bytes = *bytes;
  return value;
}

absl::Status GgufParser::ReadAlignment() {
  constexpr std::string_view kKey = "general.alignment";
  const auto found = file_->metadata_.find(kKey);
  if (found == file_->metadata_.end()) return absl::OkStatus();
  if (found->second.type != MetadataType::kUint32) return DataLoss(base::StrCat(kKey, " is not a uint32"));
  const std::uint32_t alignment = *ByteCursor(found->second.bytes).Read<std::uint32_t>();
  // The specification asks for a multiple of 8; a power of two on top keeps every rounding below exact.
  if (alignment < 8 || alignment > kAlignmentMax || (alignment & (alignment - 1)) != 0) {
    return DataLoss(base::StrCat(kKey, " is ", alignment, ", not a power of two from 8 to ", kAlignmentMax));
  }
  file_->alignment_ = alignment;
  return absl::OkStatus();
}

absl::Status GgufParser::ReadTensorEntry() {
  TableEntry entry;
  absl::StatusOr<std::string_view> name = ReadString(kTensorNameBytesMax, "tensor name");
  if (!name.ok()) return name.status();
  if (name->empty()) return DataLoss("an empty tensor name");
  entry.tensor.name = *name;
  if (absl::Status status = ReadShape(entry.tensor); !status.ok()) return status;
  const auto type = cursor_.Read<std::uint32_t>();
  const auto offset = cursor_.Read<std::uint64_t>();
  if (!type.has_value() || !offset.has_value()) {
    return DataLoss(base::StrCat("the file ends inside the entry of tensor ", Quoted(*name)));
  }
  absl::StatusOr<DType> dtype = DTypeFromGguf(*type);
  if (!dtype.ok()) {
    return absl::Status(dtype.status().code(), base::StrCat("tensor ", Quoted(*name), ": ", dtype.status().message()));
  }
  entry.tensor.dtype = *dtype;
  entry.offset = *offset;
  if (entry.offset % file_->alignment_ != 0) {
    return DataLoss(base::StrCat("tensor ", Quoted(*name), " starts at ", *offset, ", not a multiple of the alignment ",
                                 file_->alignment_));
  }
  absl::StatusOr<std::uint64_t> size = TensorSize(entry.tensor);
  if (!size.ok()) return size.status();
  entry.size = *size;
  table_.push_back(std::move(entry));
  return absl::OkStatus();
}

absl::Status GgufParser::ReadShape(Tensor& tensor) {
  const auto dimensions = cursor_.Read<std::uint32_t>();
  if (!dimensions.has_value()) return DataLoss(base::StrCat("the file ends inside tensor ", Quoted(tensor.name)));
  if (*dimensions == 0 || *dimensions > kDimensionsMax) {
    return DataLoss(
        base::StrCat("tensor ", Quoted(tensor.name), " has ", *dimensions, " dimensions, not 1 to ", kDimensionsMax));
  }
  for (std::uint32_t i = 0; i < *dimensions; ++i) {
    const auto extent = cursor_.Read<std::uint64_t>();
    if (!extent.has_value())
      return DataLoss(base::StrCat("the file ends inside the shape of tensor ", Quoted(tensor.name)));
    if (*extent == 0) return DataLoss(base::StrCat("tensor ", Quoted(tensor.name), " has a dimension of 0"));
    tensor.shape.push_back(*extent);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> GgufParser::TensorSize(Tensor& tensor) const {
  absl::StatusOr<std::uint64_t> row_bytes = RowBytes(tensor.dtype, tensor.cols());
  if (!row_bytes.ok()) {
    return DataLoss(base::StrCat("tensor ", Quoted(tensor.name), ": ", row_bytes.status().message()));
  }
  std::uint64_t size = *row_bytes;
  for (std::size_t i = 1; i < tensor.shape.size(); ++i) {
    if (__builtin_mul_overflow(size, tensor.shape[i], &size)) {
      return DataLoss(base::StrCat("the size of tensor ", Quoted(tensor.name), " overflows 64 bits"));
    }
  }
  tensor.row_bytes = *row_bytes;
  return size;
}

absl::Status GgufParser::PlaceTensors() {
  if (table_.empty()) return absl::OkStatus();
  const std::optional<std::uint64_t> data_start = AlignUp(cursor_.offset(), file_->alignment_);
  CHECK(data_start.has_value());  // an offset inside a file in memory plus 64 KiB
  file_->tensors_.reserve(table_.size());
  file_->tensor_index_.reserve(table_.size());
  for (const TableEntry& entry : table_) {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    if (__builtin_add_overflow(*data_start, entry.offset, &begin) || __builtin_add_overflow(begin, entry.size, &end) ||
        end > bytes_.size()) {
      return DataLoss(base::StrCat("tensor ", Quoted(entry.tensor.name), " (", entry.size, " bytes at ", entry.offset,
                                   " of the data section) reaches past the end of the file of ", bytes_.size(),
                                   " bytes"));
    }
    Tensor tensor = entry.tensor;
    tensor.data = bytes_.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(entry.size));
    if (!file_->tensor_index_.emplace(tensor.name, file_->tensors_.size()).second) {
      return DataLoss(base::StrCat("tensor ", Quoted(tensor.name), " stands twice"));
    }
    file_->tensors_.push_back(std::move(tensor));
  }
  return CheckNoOverlapOrHole();
}

// Every writer lays tensors out back to back, each padded to the alignment; anything else is an altered table. A hole
// could also hide bytes that no tensor owns.
absl::Status GgufParser::CheckNoOverlapOrHole() const {
  std::vector<const TableEntry*> by_offset;
  by_offset.reserve(table_.size());
  for (const TableEntry& entry : table_) by_offset.push_back(&entry);
  std::sort(by_offset.begin(), by_offset.end(),
            [](const TableEntry* a, const TableEntry* b) { return a->offset < b->offset; });
  std::uint64_t expected = 0;
  for (const TableEntry* entry : by_offset) {
    if (entry->offset != expected) {
      return DataLoss(base::StrCat(
          "tensor ", Quoted(entry->tensor.name), " starts at ", entry->offset,
          entry->offset < expected ? ", inside another tensor that ends before " : ", after a hole that begins at ",
          expected));
    }
    // In bounds of the file, so the sum cannot overflow; rounding up by at most 64 KiB cannot either.
    const std::optional<std::uint64_t> next = AlignUp(entry->offset + entry->size, file_->alignment_);
    CHECK(next.has_value());
    expected = *next;
  }
  return absl::OkStatus();
}

}  // namespace tensor
