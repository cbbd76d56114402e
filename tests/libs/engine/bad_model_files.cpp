#include "tests/libs/engine/bad_model_files.h"

#include <cstdint>
#include <set>

#include "libs/base/check.h"
#include "tests/libs/engine/tiny_chat_model.h"

namespace engine {

BadModelShelf::BadModelShelf() : good_(tensor::GgufDraft::Of(GoodModelFile())) {}

void BadModelShelf::Add(std::string_view name, std::string_view names, const Spoil& spoil) {
  AddTo(good_, name, names, spoil);
}

void BadModelShelf::AddTo(tensor::GgufDraft good, std::string_view name, std::string_view names, const Spoil& spoil) {
  spoil(good);
  AddBytes(name, names, good.Bytes());
}

void BadModelShelf::AddBytes(std::string_view name, std::string_view names, std::string bytes) {
  files_.push_back({std::string(name), std::string(names), std::move(bytes)});
}

std::string GoodModelFile() { return TinyChatModel().Bytes(); }

std::vector<BadModelFile> BadModelFiles() {
  BadModelShelf shelf;
  AddBadSizes(shelf);
  AddBadHyperParameters(shelf);
  AddBadEnds(shelf);
  AddBadTypes(shelf);
  AddBadVocabularies(shelf);
  AddBadArchitectures(shelf);
  AddBadTemplates(shelf);
  std::vector<BadModelFile> files = shelf.Take();
  std::set<std::string_view> names;
  for (const BadModelFile& file : files) CHECK_MSG(names.insert(file.name).second, file.name);
  return files;
}

}  // namespace engine
