#include "tests/fuzz/gguf_edits.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/libs/engine/tiny_chat_model.h"
#include "tests/libs/tensor/gguf_draft.h"

namespace fuzz {
namespace {

using tensor::Encoded;
using tensor::GgufDraft;
using tensor::MetadataType;

constexpr int kEditsMax = 16;

class Editor {
 public:
  Editor(GgufDraft draft, std::span<const std::uint8_t> script) : draft_(std::move(draft)), script_(script) {}

  std::string Run() {
    for (int i = 0; i < kEditsMax && !script_.empty(); ++i) Edit();
    std::string bytes = draft_.Bytes();
    if (cut_) bytes.resize(bytes.size() * cut_at_ / 65536);
    return bytes;
  }

 private:
  std::uint8_t Byte() {
    if (script_.empty()) return 0;
    const std::uint8_t byte = script_.front();
    script_ = script_.subspan(1);
    return byte;
  }

  // Numbers that matter to a reader: edges of types, and near the good ones.
  std::uint64_t Number() {
    const std::uint8_t choice = Byte();
    switch (choice % 12) {
      case 0:
        return 0;
      case 1:
        return std::numeric_limits<std::uint64_t>::max() - choice / 12;
      case 2:
        return (std::uint64_t{1} << 63) - choice / 12;
      case 3:
        return (std::uint64_t{1} << 32) + choice / 12;
      case 4:
        return (std::uint64_t{1} << 31) - choice / 12;
      case 5:
        return std::uint64_t{1} << choice / 4;
      case 6:
        return std::uint64_t{16} * Byte();
      case 7:
        return 259 - choice / 12;
      default:
        return Byte();
    }
  }

  GgufDraft::Entry& AnyEntry() { return draft_.entries[Byte() % draft_.entries.size()]; }
  GgufDraft::TensorLine& AnyTensor() { return draft_.tensors[Byte() % draft_.tensors.size()]; }

  // The same number as any type.
  void SetNumber(GgufDraft::Entry& entry) {
    const std::uint64_t number = Number();
    const auto type = static_cast<MetadataType>(Byte() % 13);
    entry.type = static_cast<std::uint32_t>(type);
    switch (type) {
      case MetadataType::kFloat32:
        entry.value = Encoded(static_cast<float>(number));
        return;
      case MetadataType::kFloat64:
        entry.value = Encoded(static_cast<double>(number));
        return;
      default:
        entry.value = Encoded(number).substr(0, SizeOf(type));
    }
  }

  static std::size_t SizeOf(MetadataType type) {
    // Of a string or an array it is the length, and nothing follows.
    const std::uint64_t number = tensor::EncodedBytes(type).value();
    return number > 0 ? number : sizeof(std::uint64_t);
  }

  // Text of the script's own bytes, also in the middle of what is there.
  void SetText(GgufDraft::Entry& entry) {
    const std::size_t asked = Byte();
    const std::size_t size = std::min(asked, script_.size());
    std::string text(reinterpret_cast<const char*>(script_.data()), size);
    script_ = script_.subspan(size);
    if (Byte() % 2 == 0 && entry.type == static_cast<std::uint32_t>(MetadataType::kString) && entry.value.size() > 8) {
      const std::string old = entry.value.substr(8);
      const std::size_t at = Byte() * old.size() / 256;
      text = old.substr(0, at) + text + old.substr(at);
    }
    entry.Set(MetadataType::kString, tensor::EncodedText(text));
  }

  void EditValue(GgufDraft::Entry& entry) {
    if (entry.value.empty()) return;
    const std::size_t at = (Byte() * 256U + Byte()) % entry.value.size();
    switch (Byte() % 4) {
      case 0:
        entry.value[at] = static_cast<char>(Byte());
        return;
      case 1:
        entry.value.erase(at, 1 + Byte() % 16);
        return;
      case 2:
        entry.value.insert(at, entry.value.substr(at, Byte()));
        return;
      default:
        Overwrite(entry.value, at, Encoded(Number()));
    }
  }

  static void Overwrite(std::string& text, std::size_t at, const std::string& with) {
    text.replace(at, std::min(with.size(), text.size() - at), with.substr(0, text.size() - at));
  }

  // Weights that are no numbers, infinite, huge or tiny.
  void EditData() {
    if (draft_.data.empty()) return;
    constexpr std::uint32_t kWords[] = {0x7FC00000, 0xFF800000, 0x7F7FFFFF, 0x00000001,
                                        0x7E007E00, 0xFC00FC00, 0x7BFF7BFF, 0x80000001};
    const std::size_t at = Byte() * draft_.data.size() / 256 / 4 * 4;
    const std::uint32_t word = kWords[Byte() % 8];
    for (std::size_t i = 0, count = 1 + Byte(); i < count && at + 4 * i + 4 <= draft_.data.size(); ++i) {
      std::memcpy(draft_.data.data() + at + 4 * i, &word, 4);
    }
  }

  // The keys of another architecture.
  void Rename() {
    constexpr std::string_view kNames[] = {"qwen2", "qwen3", "gemma3", "llama"};
    const std::string name(kNames[Byte() % 4]);
    for (GgufDraft::Entry& entry : draft_.entries) {
      const std::size_t dot = entry.key.find('.');
      for (const std::string_view old : kNames) {
        if (entry.key.substr(0, dot) == old) {
          entry.key.replace(0, dot, name);
          break;
        }
      }
      if (entry.key == "general.architecture") entry.Set(MetadataType::kString, tensor::EncodedText(name));
    }
  }

  void EditTensor() {
    GgufDraft::TensorLine& line = AnyTensor();
    switch (Byte() % 7) {
      case 0:
        line.shape[Byte() % line.shape.size()] = Number();
        return;
      case 1:
        line.type = Byte() % 42;
        return;
      case 2:
        line.offset = Number();
        return;
      case 3:
        line.dimensions = static_cast<std::uint32_t>(Number());
        return;
      case 4:
        std::swap(line.name, AnyTensor().name);
        return;
      case 5:
        line.shape.push_back(Number());
        ++line.dimensions;
        return;
      default:
        if (draft_.tensors.size() > 2) draft_.RemoveTensor(std::string(line.name));
    }
  }

  void Edit() {
    switch (Byte() % 12) {
      case 0:
        return SetNumber(AnyEntry());
      case 1:
        return SetText(AnyEntry());
      case 2:
        return EditValue(AnyEntry());
      case 3:
        AnyEntry().type = Byte() % 14;
        return;
      case 4: {  // one value under another key
        const GgufDraft::Entry from = AnyEntry();
        GgufDraft::Entry& to = AnyEntry();
        to.type = from.type, to.value = from.value;
        return;
      }
      case 5:
        if (draft_.entries.size() > 2) draft_.entries.erase(draft_.entries.begin() + Byte() % draft_.entries.size());
        return;
      case 6:
        draft_.entries.push_back(AnyEntry());
        return;
      case 7:
      case 8:
        return EditTensor();
      case 9:
        return EditData();
      case 10:
        return Rename();
      default:
        return EditFrame();
    }
  }

  void EditFrame() {
    switch (Byte() % 5) {
      case 0:
        draft_.tensor_count = Number();
        return;
      case 1:
        draft_.entry_count = Number();
        return;
      case 2:
        draft_.version = Byte() % 5;
        return;
      case 3:
        draft_.Put("general.alignment", MetadataType::kUint32, Encoded(static_cast<std::uint32_t>(Number())));
        return;
      default:
        cut_ = true;
        cut_at_ = Byte() * 256U + Byte();
    }
  }

  GgufDraft draft_;
  std::span<const std::uint8_t> script_;
  bool cut_ = false;
  std::size_t cut_at_ = 0;
};

std::vector<GgufDraft> GoodModels() {
  std::vector<GgufDraft> models;
  for (const char* architecture : {"llama", "qwen2", "qwen3", "gemma3"}) {
    model::TinyLlama tiny = engine::TinyChatModel();
    tiny.architecture = architecture;
    models.push_back(GgufDraft::Of(tiny.Bytes()));
  }
  return models;
}

}  // namespace

std::string EditedModel(std::span<const std::uint8_t> script) {
  static const auto* const kGood = new std::vector<GgufDraft>(GoodModels());
  if (script.empty()) return kGood->front().Bytes();
  return Editor((*kGood)[script.front() % kGood->size()], script.subspan(1)).Run();
}

}  // namespace fuzz
