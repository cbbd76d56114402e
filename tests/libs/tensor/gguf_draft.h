#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/tensor/gguf.h"
#include "tests/libs/tensor/gguf_builder.h"

namespace tensor {

// A GGUF file taken apart, so that one part of a good file can be spoiled and everything else written as it was. Every
// count, length, type and offset is written as told, a lie or not.
struct GgufDraft {
  struct Entry {
    std::string key;
    std::uint32_t type = 0;
    std::string value;  // as encoded behind the type; that of an array begins with element type and count

    void Set(MetadataType to, std::string encoded);
  };
  struct TensorLine {
    std::string name;
    std::uint32_t dimensions = 0;
    std::vector<std::uint64_t> shape;  // written whatever `dimensions` says
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
  };

  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::optional<std::uint64_t> tensor_count;  // unset: as many as there are
  std::optional<std::uint64_t> entry_count;
  std::vector<Entry> entries;
  std::vector<TensorLine> tensors;
  std::size_t alignment = 32;  // of the data section; the metadata may say otherwise
  std::string data;

  // REQUIRES: a good file; this is no reader for what came from outside.
  static GgufDraft Of(std::string_view good);

  // Appends to `ends`, where given, the length of the file after every part: header fields, entries, lines, padding.
  std::string Bytes(std::vector<std::size_t>* ends = nullptr) const;

  // REQUIRES: there is such an entry or tensor.
  Entry& entry(std::string_view key);
  TensorLine& tensor(std::string_view name);
  void Remove(std::string_view key);
  void RemoveTensor(std::string_view name);  // its data too, so that the rest lies without a hole

  // Replaces the entry or appends one.
  void Put(std::string_view key, MetadataType type, std::string encoded);
};

// Values as a file encodes them.
template <typename T>
std::string Encoded(T value) {
  return GgufBuilder().Put(value).bytes();
}
std::string EncodedText(std::string_view text);
std::string EncodedTexts(const std::vector<std::string>& texts);  // an array of strings
template <typename T>
std::string EncodedArray(MetadataType element_type, const std::vector<T>& values) {
  GgufBuilder builder;
  builder.ArrayHead(element_type, values.size());
  for (const T value : values) builder.Put(value);
  return builder.bytes();
}

}  // namespace tensor
