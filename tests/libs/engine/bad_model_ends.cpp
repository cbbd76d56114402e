// A2: files that end before what they declare, and strings and arrays that reach past the end.
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "tests/libs/engine/bad_model_files.h"

namespace engine {
namespace {

using tensor::GgufDraft;
using tensor::MetadataType;

constexpr std::uint64_t kU64Max = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kHeaderParts = 4;  // magic, version and two counts, of GgufDraft::Bytes

void SetU64(std::string& bytes, std::size_t at, std::uint64_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

void AddCuts(BadModelShelf& shelf) {
  std::vector<std::size_t> ends;
  const std::string bytes = shelf.good().Bytes(&ends);
  const std::size_t header_end = ends.back();
  for (const std::size_t end : ends) {
    shelf.AddBytes("a2-cut-behind-byte-" + std::to_string(end), end == header_end ? "token_embd.weight" : "GGUF byte",
                   bytes.substr(0, end));
    shelf.AddBytes("a2-cut-before-byte-" + std::to_string(end), end == header_end ? "" : "GGUF byte",
                   bytes.substr(0, end - 1));
  }
  shelf.AddBytes("a2-empty", "GGUF byte", "");
  for (const GgufDraft::TensorLine& line : shelf.good().tensors) {
    shelf.AddBytes("a2-cut-inside-" + line.name, line.name, bytes.substr(0, header_end + line.offset + 1));
  }
}

// Lengths that lead past the end, of every key, string, array and tensor name.
void AddLengths(BadModelShelf& shelf) {
  std::vector<std::size_t> ends;
  const std::string bytes = shelf.good().Bytes(&ends);
  const auto& entries = shelf.good().entries;
  const auto spoil = [&](const std::string& what, const std::string& names, std::size_t at, std::uint64_t value) {
    std::string spoiled = bytes;
    SetU64(spoiled, at, value);
    shelf.AddBytes("a2-" + what + "-" + std::to_string(value), names, std::move(spoiled));
  };
  const std::uint64_t lengths[] = {std::uint64_t{1} << 24, (std::uint64_t{1} << 32) + 1, kU64Max / 2, kU64Max};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::size_t key_at = ends[kHeaderParts - 1 + 3 * i], value_at = ends[kHeaderParts - 1 + 3 * i + 2];
    for (const std::uint64_t length : lengths) {
      spoil("key-length-of-" + entries[i].key, "metadata key", key_at, length);
      if (entries[i].type == static_cast<std::uint32_t>(MetadataType::kString)) {
        spoil("length-of-" + entries[i].key, entries[i].key, value_at, length);
      }
      if (entries[i].type != static_cast<std::uint32_t>(MetadataType::kArray)) continue;
      spoil("elements-of-" + entries[i].key, entries[i].key, value_at + 4, length);
      std::uint32_t element_type = 0;
      std::memcpy(&element_type, entries[i].value.data(), sizeof(element_type));
      if (element_type == static_cast<std::uint32_t>(MetadataType::kString) && entries[i].value.size() > 12) {
        spoil("length-of-the-first-of-" + entries[i].key, entries[i].key, value_at + 12, length);
      }
    }
  }
  for (std::size_t i = 0; i < shelf.good().tensors.size(); i += 5) {
    const std::size_t name_at = ends[kHeaderParts - 1 + 3 * (entries.size() + i)];
    for (const std::uint64_t length : lengths) {
      spoil("name-length-of-" + shelf.good().tensors[i].name, "tensor name", name_at, length);
    }
  }
}

}  // namespace

void AddBadEnds(BadModelShelf& shelf) {
  AddCuts(shelf);
  AddLengths(shelf);
}

}  // namespace engine
