#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libs/tensor/gguf.h"

namespace tensor {

// Writes GGUF bytes for tests, well-formed or not: every count, length, type and offset can be set to a lie, because
// the header fields are written exactly as told and only the convenience functions fill in honest values.
class GgufBuilder {
 public:
  template <typename T>
  requires std::integral<T> || std::floating_point<T> GgufBuilder& Put(T value) {
    const char* bytes = reinterpret_cast<const char*>(&value);
    out_.append(bytes, sizeof(T));
    return *this;
  }
  GgufBuilder& Raw(std::string_view bytes) {
    out_.append(bytes);
    return *this;
  }
  GgufBuilder& Text(std::string_view text) { return Put<std::uint64_t>(text.size()).Raw(text); }

  GgufBuilder& Header(std::uint64_t tensors, std::uint64_t entries, std::uint32_t version = 3) {
    return Raw("GGUF").Put(version).Put(tensors).Put(entries);
  }
  GgufBuilder& Key(std::string_view key, std::uint32_t type) { return Text(key).Put(type); }
  GgufBuilder& Key(std::string_view key, MetadataType type) { return Key(key, static_cast<std::uint32_t>(type)); }
  GgufBuilder& ArrayHead(MetadataType element_type, std::uint64_t count) {
    return Put(static_cast<std::uint32_t>(element_type)).Put(count);
  }
  GgufBuilder& TensorEntry(std::string_view name, std::vector<std::uint64_t> shape, std::uint32_t type,
                           std::uint64_t offset) {
    Text(name).Put(static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t extent : shape) Put(extent);
    return Put(type).Put(offset);
  }
  GgufBuilder& AlignTo(std::size_t alignment) {
    while (out_.size() % alignment != 0) out_.push_back('\0');
    return *this;
  }
  GgufBuilder& Data(std::size_t bytes, char fill) {
    out_.append(bytes, fill);
    return *this;
  }

  const std::string& bytes() const { return out_; }

 private:
  std::string out_;
};

inline std::span<const std::byte> AsBytes(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace tensor
