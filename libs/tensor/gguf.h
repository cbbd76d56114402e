#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/tensor/dtype.h"

namespace tensor {

// Caps on what a header may ask for. They are far above any published model and small enough that the worst file costs
// milliseconds and a few megabytes before it is refused.
inline constexpr std::uint64_t kMetadataEntriesMax = 1 << 16;
inline constexpr std::uint64_t kTensorsMax = 1 << 16;
inline constexpr std::uint64_t kKeyBytesMax = 65535;      // GGUF specification
inline constexpr std::uint64_t kTensorNameBytesMax = 64;  // GGUF specification
inline constexpr std::uint64_t kStringBytesMax = 16U << 20;
inline constexpr std::uint64_t kArrayElementsMax = 16U << 20;
inline constexpr std::uint32_t kDimensionsMax = 4;  // ggml
inline constexpr std::uint64_t kAlignmentMax = 64U << 10;
inline constexpr std::uint64_t kAlignmentDefault = 32;  // GGUF specification

// One tensor of the file. `shape` is in GGUF order: shape[0] is the contiguous dimension (columns), so a weight that
// PyTorch calls [rows, cols] has shape {cols, rows}.
struct Tensor {
  std::string_view name;  // into the file
  DType dtype = DType::kF32;
  std::vector<std::uint64_t> shape;  // 1 to 4 dimensions, each > 0
  std::uint64_t row_bytes = 0;       // bytes of shape[0] values
  std::span<const std::byte> data;   // row_bytes * product(shape[1..]) bytes, inside the file

  std::uint64_t cols() const { return shape[0]; }
  std::uint64_t rows() const;  // product of shape[1..]; 1 for a vector
};

enum class MetadataType : std::uint32_t {  // numbered as in the file
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// Of a number or bool in the file; 0 for strings and arrays, whose length stands before them, nullopt for what a file
// may say and is no type.
std::optional<std::uint64_t> EncodedBytes(MetadataType type);

// A GGUF model file (versions 2 and 3, little endian), mapped read-only. Layout: docs/gguf.md of the ggml project.
//
// The whole header is checked at Open: nothing that this class returns can reach outside the file, whatever its bytes
// say. Every length is checked before it is used, every sum and product for overflow, and tensors lie aligned, in
// bounds, without overlaps or holes.
//
// Ownership: names, strings and tensor data are views into the mapping and live as long as this object.
// Threading: immutable after Open; safe from any thread.
// Errors:    NotFound, PermissionDenied: the path. DataLoss: the file is truncated or altered; says at which byte and
// why.
//            FailedPrecondition: a good file that this build cannot use (version, byte order, tensor type). All
//            permanent.
// Trap:      a file that is truncated in place while mapped kills the process with SIGBUS. Replace model files by
// rename.
class GgufFile {
 public:
  static absl::StatusOr<std::unique_ptr<GgufFile>> Open(const std::string& path);

  // The same over bytes in memory, which the caller keeps alive. Tensor data is as aligned as `bytes` is.
  static absl::StatusOr<std::unique_ptr<GgufFile>> Parse(std::span<const std::byte> bytes);

  ~GgufFile();
  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;

  std::uint32_t version() const { return version_; }
  std::uint64_t alignment() const { return alignment_; }

  const std::vector<Tensor>& tensors() const { return tensors_; }  // in file order
  const Tensor* FindTensor(std::string_view name) const;           // nullptr: no such tensor
  // NotFound names the tensor.
  absl::StatusOr<const Tensor*> GetTensor(std::string_view name) const;

  // Gives back the memory of the whole pages inside `bytes`, a part of the file that is not needed for now; they are
  // read from the file again when they are. Without effect on bytes from Parse.
  void ReleasePages(std::span<const std::byte> bytes) const;

  // Typed metadata. NotFound: no such key. FailedPrecondition: another type, or a number that does not fit; both name
  // the key. Integers of any width and sign are converted when the value fits; a float is never taken for an integer.
  bool Has(std::string_view key) const { return metadata_.contains(key); }
  absl::StatusOr<std::uint64_t> GetUint(std::string_view key) const;
  absl::StatusOr<std::int64_t> GetInt(std::string_view key) const;
  absl::StatusOr<double> GetFloat(std::string_view key) const;  // float32 or float64, finite
  absl::StatusOr<bool> GetBool(std::string_view key) const;
  absl::StatusOr<std::string_view> GetString(std::string_view key) const;
  // Arrays are accepted only with the exact element type: an int8 array is never read as int32 or float32.
  absl::StatusOr<std::vector<std::string_view>> GetStringArray(std::string_view key) const;
  absl::StatusOr<std::vector<std::int32_t>> GetInt32Array(std::string_view key) const;
  absl::StatusOr<std::vector<float>> GetFloat32Array(std::string_view key) const;

  std::vector<std::string_view> MetadataKeys() const;  // sorted

 private:
  friend class GgufParser;

  struct MetadataValue {
    MetadataType type = MetadataType::kUint8;
    MetadataType element_type = MetadataType::kUint8;  // of an array
    std::uint64_t count = 1;                           // elements
    std::span<const std::byte> bytes;                  // the encoded elements, checked
  };

  GgufFile() = default;
  absl::StatusOr<const MetadataValue*> Find(std::string_view key) const;
  absl::StatusOr<const MetadataValue*> FindArray(std::string_view key, MetadataType element_type) const;

  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = kAlignmentDefault;
  std::vector<Tensor> tensors_;
  absl::flat_hash_map<std::string_view, std::size_t> tensor_index_;
  absl::flat_hash_map<std::string_view, MetadataValue> metadata_;
  std::span<const std::byte> mapping_;  // empty when the bytes are the caller's
};

}  // namespace tensor
