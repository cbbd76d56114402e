#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/libs/tensor/gguf_draft.h"

namespace engine {

// A good model file with one lie. The classes are those of published advisories on model file readers:
//   A1  arithmetic on sizes and counts that overflows: a small allocation, a large write
//   A2  a declared size beyond the file: memory read that is not the file's
//   A3  one type taken for another: an int8 array read as floats
//   A4  vocabulary and hyper-parameters: ids and lengths of the wrong sign or out of range, text that exhausts a parser
struct BadModelFile {
  std::string name;   // "a1-count-of-tensors-4294967296": what is wrong, fit for a file name
  std::string names;  // must be part of the message that refuses it: the key, the tensor or the place
  std::string bytes;
};

// All of them, each name once; the same on every machine.
std::vector<BadModelFile> BadModelFiles();

// What they are made from: loads and answers.
std::string GoodModelFile();

// Collects files that are made from the good one.
class BadModelShelf {
 public:
  BadModelShelf();

  using Spoil = std::function<void(tensor::GgufDraft&)>;
  void Add(std::string_view name, std::string_view names, const Spoil& spoil);
  void AddTo(tensor::GgufDraft good, std::string_view name, std::string_view names, const Spoil& spoil);
  void AddBytes(std::string_view name, std::string_view names, std::string bytes);

  const tensor::GgufDraft& good() const { return good_; }
  std::vector<BadModelFile> Take() { return std::move(files_); }

 private:
  const tensor::GgufDraft good_;
  std::vector<BadModelFile> files_;
};

// The chapters of BadModelFiles, a source file each.
void AddBadSizes(BadModelShelf& shelf);            // A1
void AddBadHyperParameters(BadModelShelf& shelf);  // A1 and A4: products of them size buffers
void AddBadEnds(BadModelShelf& shelf);             // A2
void AddBadTypes(BadModelShelf& shelf);            // A3
void AddBadVocabularies(BadModelShelf& shelf);     // A4
void AddBadArchitectures(BadModelShelf& shelf);    // A1, A3, A4
void AddBadTemplates(BadModelShelf& shelf);        // A4

}  // namespace engine
