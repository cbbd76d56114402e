#include "tests/libs/tensor/gguf_draft.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libs/base/check.h"

namespace tensor {

namespace {

class Scissors {
 public:
  explicit Scissors(std::string_view bytes) : bytes_(bytes) {}

  std::string_view Take(std::size_t size) {
    CHECK(size <= bytes_.size() - at_);
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  template <typename T>
  T Number() {
    T value;
    std::memcpy(&value, Take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view Text() { return Take(Number<std::uint64_t>()); }

  std::string_view Value(std::uint32_t type) {
    const std::size_t begin = at_;
    Skip(type);
    return bytes_.substr(begin, at_ - begin);
  }
  std::string_view Rest() { return Take(bytes_.size() - at_); }
  void AlignTo(std::size_t alignment) { Take((alignment - at_ % alignment) % alignment); }

 private:
  void Skip(std::uint32_t type) {
    switch (static_cast<MetadataType>(type)) {
      case MetadataType::kString:
        Text();
        return;
      case MetadataType::kArray: {
        const auto element_type = Number<std::uint32_t>();
        const auto count = Number<std::uint64_t>();
        for (std::uint64_t i = 0; i < count; ++i) Skip(element_type);
        return;
      }
      default:
        Take(EncodedBytes(static_cast<MetadataType>(type)).value());
    }
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace

void GgufDraft::Entry::Set(MetadataType to, std::string encoded) {
  type = static_cast<std::uint32_t>(to);
  value = std::move(encoded);
}

GgufDraft GgufDraft::Of(std::string_view good) {
  Scissors scissors(good);
  GgufDraft draft;
  draft.magic = scissors.Take(4);
  draft.version = scissors.Number<std::uint32_t>();
  const auto tensors = scissors.Number<std::uint64_t>();
  const auto entries = scissors.Number<std::uint64_t>();
  for (std::uint64_t i = 0; i < entries; ++i) {
    Entry& entry = draft.entries.emplace_back();
    entry.key = scissors.Text();
    entry.type = scissors.Number<std::uint32_t>();
    entry.value = scissors.Value(entry.type);
    if (entry.key == "general.alignment") std::memcpy(&draft.alignment, entry.value.data(), sizeof(std::uint32_t));
  }
  for (std::uint64_t i = 0; i < tensors; ++i) {
    TensorLine& line = draft.tensors.emplace_back();
    line.name = scissors.Text();
    line.dimensions = scissors.Number<std::uint32_t>();
    for (std::uint32_t d = 0; d < line.dimensions; ++d) line.shape.push_back(scissors.Number<std::uint64_t>());
    line.type = scissors.Number<std::uint32_t>();
    line.offset = scissors.Number<std::uint64_t>();
  }
  scissors.AlignTo(draft.alignment);
  draft.data = scissors.Rest();
  return draft;
}

std::string GgufDraft::Bytes(std::vector<std::size_t>* ends) const {
  GgufBuilder out;
  const auto part_ends = [&] {
    if (ends != nullptr) ends->push_back(out.bytes().size());
  };
  out.Raw(magic);
  part_ends();
  out.Put(version);
  part_ends();
  out.Put(tensor_count.value_or(tensors.size()));
  part_ends();
  out.Put(entry_count.value_or(entries.size()));
  part_ends();
  for (const Entry& entry : entries) {
    out.Text(entry.key);
    part_ends();
    out.Put(entry.type);
    part_ends();
    out.Raw(entry.value);
    part_ends();
  }
  for (const TensorLine& line : tensors) {
    out.Text(line.name);
    part_ends();
    out.Put(line.dimensions);
    for (const std::uint64_t extent : line.shape) out.Put(extent);
    part_ends();
    out.Put(line.type).Put(line.offset);
    part_ends();
  }
  out.AlignTo(alignment);
  part_ends();
  out.Raw(data);
  return out.bytes();
}

GgufDraft::Entry& GgufDraft::entry(std::string_view key) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  CHECK(found != entries.end());
  return *found;
}

GgufDraft::TensorLine& GgufDraft::tensor(std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const TensorLine& t) { return t.name == name; });
  CHECK(found != tensors.end());
  return *found;
}

void GgufDraft::Remove(std::string_view key) {
  std::erase_if(entries, [&](const Entry& entry) { return entry.key == key; });
}

void GgufDraft::RemoveTensor(std::string_view name) {
  const std::uint64_t begin = tensor(name).offset;
  std::uint64_t end = data.size();
  for (const TensorLine& line : tensors) {
    if (line.offset > begin) end = std::min(end, line.offset);
  }
  if (begin < end) data.erase(begin, end - begin);  // the offset may be spoiled by now
  std::erase_if(tensors, [&](const TensorLine& line) { return line.name == name; });
  for (TensorLine& line : tensors) {
    if (begin < end && line.offset > begin) line.offset -= end - begin;
  }
}

void GgufDraft::Put(std::string_view key, MetadataType type, std::string encoded) {
  const auto found = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
  Entry& entry = found != entries.end() ? *found : entries.emplace_back();
  entry.key = key;
  entry.Set(type, std::move(encoded));
}

std::string EncodedText(std::string_view text) { return GgufBuilder().Text(text).bytes(); }

std::string EncodedTexts(const std::vector<std::string>& texts) {
  GgufBuilder builder;
  builder.ArrayHead(MetadataType::kString, texts.size());
  for (const std::string& text : texts) builder.Text(text);
  return builder.bytes();
}

}  // namespace tensor
