#include "libs/tensor/gguf.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/tensor/internal/byte_cursor.h"
#include "libs/tensor/internal/gguf_parser.h"

namespace tensor {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string_view TypeName(MetadataType type) {
  switch (type) {
    case MetadataType::kUint8:
      return "uint8";
    case MetadataType::kInt8:
      return "int8";
    case MetadataType::kUint16:
      return "uint16";
    case MetadataType::kInt16:
      return "int16";
    case MetadataType::kUint32:
      return "uint32";
    case MetadataType::kInt32:
      return "int32";
    case MetadataType::kFloat32:
      return "float32";
    case MetadataType::kBool:
      return "bool";
    case MetadataType::kString:
      return "string";
    case MetadataType::kArray:
      return "array";
    case MetadataType::kUint64:
      return "uint64";
    case MetadataType::kInt64:
      return "int64";
    case MetadataType::kFloat64:
      return "float64";
  }
  return "unknown";
}

absl::Status WrongType(std::string_view key, MetadataType found, std::string_view wanted) {
  return absl::FailedPreconditionError(
      base::StrCat("metadata key ", key, " is of type ", TypeName(found), ", not ", wanted));
}

// An integer of any stored width as sign and magnitude, so that both getters can check its range; nullopt for other
// types.
struct Integer {
  bool negative = false;
  std::uint64_t bits = 0;  // two's complement when negative
};

template <typename T>
Integer ReadInteger(std::span<const std::byte> bytes) {
  const T value = *ByteCursor(bytes).Read<T>();
  return {.negative = value < 0, .bits = static_cast<std::uint64_t>(value)};
}

std::optional<Integer> IntegerOf(MetadataType type, std::span<const std::byte> bytes) {
  switch (type) {
    case MetadataType::kUint8:
      return Integer{.bits = *ByteCursor(bytes).Read<std::uint8_t>()};
    case MetadataType::kUint16:
      return Integer{.bits = *ByteCursor(bytes).Read<std::uint16_t>()};
    case MetadataType::kUint32:
      return Integer{.bits = *ByteCursor(bytes).Read<std::uint32_t>()};
    case MetadataType::kUint64:
      return Integer{.bits = *ByteCursor(bytes).Read<std::uint64_t>()};
    case MetadataType::kInt8:
      return ReadInteger<std::int8_t>(bytes);
    case MetadataType::kInt16:
      return ReadInteger<std::int16_t>(bytes);
    case MetadataType::kInt32:
      return ReadInteger<std::int32_t>(bytes);
    case MetadataType::kInt64:
      return ReadInteger<std::int64_t>(bytes);
    default:
      return std::nullopt;
  }
}

// REQUIRES: `bytes` holds whole elements, which the parser checked.
template <typename T>
std::vector<T> CopyElements(std::span<const std::byte> bytes) {
  std::vector<T> elements(bytes.size() / sizeof(T));
  if (!elements.empty()) std::memcpy(elements.data(), bytes.data(), bytes.size());
  return elements;
}

}  // namespace

std::uint64_t Tensor::rows() const {
  std::uint64_t rows = 1;  // cannot overflow: rows * row_bytes is within the file
  for (std::size_t i = 1; i < shape.size(); ++i) rows *= shape[i];
  return rows;
}

absl::StatusOr<std::unique_ptr<GgufFile>> GgufFile::Open(const std::string& path) {
  // O_NONBLOCK: opening a FIFO by mistake must not wait for a writer.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return absl::ErrnoToStatus(errno, base::StrCat("cannot open model file ", path));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return absl::ErrnoToStatus(errno, base::StrCat("cannot stat model file ", path));
  if (!S_ISREG(info.st_mode)) return absl::FailedPreconditionError(base::StrCat(path, " is not a regular file"));
  if (info.st_size <= 0) return absl::DataLossError(base::StrCat(path, ": GGUF byte 0: the file is empty"));
  const auto size = static_cast<std::size_t>(info.st_size);
  void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (address == MAP_FAILED) return absl::ErrnoToStatus(errno, base::StrCat("cannot map model file ", path));
  const std::span<const std::byte> mapping(static_cast<const std::byte*>(address), size);
  absl::StatusOr<std::unique_ptr<GgufFile>> parsed = Parse(mapping);
  if (!parsed.ok()) {
    ::munmap(address, size);
    return absl::Status(parsed.status().code(), base::StrCat(path, ": ", parsed.status().message()));
  }
  (*parsed)->mapping_ = mapping;
  return parsed;
}

absl::StatusOr<std::unique_ptr<GgufFile>> GgufFile::Parse(std::span<const std::byte> bytes) {
  return GgufParser(bytes).Parse();
}

GgufFile::~GgufFile() {
  if (!mapping_.empty()) ::munmap(const_cast<std::byte*>(mapping_.data()), mapping_.size());
}

void GgufFile::ReleasePages(std::span<const std::byte> bytes) const {
  if (mapping_.empty() || bytes.empty()) return;
  CHECK(bytes.data() >= mapping_.data() && bytes.data() + bytes.size() <= mapping_.data() + mapping_.size());
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (static_cast<std::size_t>(bytes.data() - mapping_.data()) + page - 1) / page * page;
  const auto end = static_cast<std::size_t>(bytes.data() + bytes.size() - mapping_.data()) / page * page;
  if (begin < end) ::madvise(const_cast<std::byte*>(mapping_.data()) + begin, end - begin, MADV_DONTNEED);
}

const Tensor* GgufFile::FindTensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

absl::StatusOr<const Tensor*> GgufFile::GetTensor(std::string_view name) const {
  const Tensor* found = FindTensor(name);
  if (found == nullptr) return absl::NotFoundError(base::StrCat("the model file has no tensor ", name));
  return found;
}

absl::StatusOr<const GgufFile::MetadataValue*> GgufFile::Find(std::string_view key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end()) return absl::NotFoundError(base::StrCat("the model file has no metadata key ", key));
  return &found->second;
}

absl::StatusOr<const GgufFile::MetadataValue*> GgufFile::FindArray(std::string_view key,
                                                                   MetadataType element_type) const {
  absl::StatusOr<const MetadataValue*> value = Find(key);
  if (!value.ok()) return value;
  if ((*value)->type != MetadataType::kArray) return WrongType(key, (*value)->type, "array");
  if ((*value)->element_type != element_type) {
    return WrongType(key, (*value)->element_type, base::StrCat(TypeName(element_type), " (array elements)"));
  }
  return value;
}

absl::StatusOr<std::uint64_t> GgufFile::GetUint(std::string_view key) const {
  absl::StatusOr<const MetadataValue*> value = Find(key);
  if (!value.ok()) return value.status();
  const std::optional<Integer> integer = IntegerOf((*value)->type, (*value)->bytes);
  if (!integer.has_value()) return WrongType(key, (*value)->type, "an integer");
  if (integer->negative) return absl::FailedPreconditionError(base::StrCat("metadata key ", key, " is negative"));
  return integer->bits;
}

absl::StatusOr<std::int64_t> GgufFile::GetInt(std::string_view key) const {
  absl::StatusOr<const MetadataValue*> value = Find(key);
  if (!value.ok()) return value.status();
  const std::optional<Integer> integer = IntegerOf((*value)->type, (*value)->bytes);
  if (!integer.has_value()) return WrongType(key, (*value)->type, "an integer");
  if (!integer->negative && integer->bits > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    return absl::FailedPreconditionError(base::StrCat("metadata key ", key, " does not fit 64 signed bits"));
  }
  return static_cast<std::int64_t>(integer->bits);
}

absl::StatusOr<double> GgufFile::GetFloat(std::string_view key) const {
  absl::StatusOr<const MetadataValue*> value = Find(key);
  if (!value.ok()) return value.status();
  double number = 0;
  if ((*value)->type == MetadataType::kFloat32) {
    number = static_cast<double>(*ByteCursor((*value)->bytes).Read<float>());
  } else if ((*value)->type == MetadataType::kFloat64) {
    number = *ByteCursor((*value)->bytes).Read<double>();
  } else {
    return WrongType(key, (*value)->type, "a float");
  }
  if (!std::isfinite(number))
    return absl::FailedPreconditionError(base::StrCat("metadata key ", key, " is not finite"));
  return number;
}

absl::StatusOr<bool> GgufFile::GetBool(std::string_view key) const {
  absl::StatusOr<const MetadataValue*> value = Find(key);
  if (!value.ok()) return value.status();
  if ((*value)->type != MetadataType::kBool) return WrongType(key, (*value)->type, "bool");
  return *ByteCursor((*value)->bytes).Read<std::uint8_t>() != 0;
}

absl::StatusOr<std::string_view> GgufFile::GetString(std::string_view key) const {
  absl::StatusOr<const MetadataValue*> value = Find(key);
  if (!value.ok()) return value.status();
  if ((*value)->type != MetadataType::kString) return WrongType(key, (*value)->type, "string");
  return std::string_view(reinterpret_cast<const char*>((*value)->bytes.data()), (*value)->bytes.size());
}

absl::StatusOr<std::vector<std::string_view>> GgufFile::GetStringArray(std::string_view key) const {
  absl::StatusOr<const MetadataValue*> value = FindArray(key, MetadataType::kString);
  if (!value.ok()) return value.status();
  std::vector<std::string_view> strings;
  strings.reserve(static_cast<std::size_t>((*value)->count));
  ByteCursor cursor((*value)->bytes);
  for (std::uint64_t i = 0; i < (*value)->count; ++i) {
    const auto length = cursor.Read<std::uint64_t>();
    CHECK(length.has_value());  // the parser walked these bytes
    const auto bytes = cursor.Take(*length);
    CHECK(bytes.has_value());
    strings.emplace_back(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  }
  return strings;
}

absl::StatusOr<std::vector<std::int32_t>> GgufFile::GetInt32Array(std::string_view key) const {
  absl::StatusOr<const MetadataValue*> value = FindArray(key, MetadataType::kInt32);
  if (!value.ok()) return value.status();
  return CopyElements<std::int32_t>((*value)->bytes);
}

absl::StatusOr<std::vector<float>> GgufFile::GetFloat32Array(std::string_view key) const {
  absl::StatusOr<const MetadataValue*> value = FindArray(key, MetadataType::kFloat32);
  if (!value.ok()) return value.status();
  return CopyElements<float>((*value)->bytes);
}

std::vector<std::string_view> GgufFile::MetadataKeys() const {
  std::vector<std::string_view> keys;
  keys.reserve(metadata_.size());
  for (const auto& [key, value] : metadata_) keys.push_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace tensor
