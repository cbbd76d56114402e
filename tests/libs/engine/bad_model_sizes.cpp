// A1: counts, extents, offsets and alignments with which arithmetic on sizes overflows.
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "tests/libs/engine/bad_model_files.h"

namespace engine {
namespace {

using tensor::Encoded;
using tensor::GgufDraft;
using tensor::MetadataType;

constexpr std::uint64_t kU64Max = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kHigh = std::uint64_t{1} << 63;

// One tensor of every kind, the matrices of the last layer among them.
const char* const kTensors[] = {"token_embd.weight",      "output_norm.weight",       "output.weight",
                                "blk.1.attn_norm.weight", "blk.1.attn_q.weight",      "blk.1.attn_k.weight",
                                "blk.1.attn_v.weight",    "blk.1.attn_output.weight", "blk.1.ffn_norm.weight",
                                "blk.1.ffn_gate.weight",  "blk.1.ffn_up.weight",      "blk.1.ffn_down.weight"};

void AddHeaders(BadModelShelf& shelf) {
  for (const char* magic : {"GGML", "FUGG", "gguf", "ggjt"}) {
    shelf.Add("a1-magic-" + std::string(magic), "not a GGUF file", [=](GgufDraft& d) { d.magic = magic; });
  }
  for (const std::uint32_t version : {0U, 1U, 4U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
    shelf.Add("a1-version-" + std::to_string(version), "GGUF version", [=](GgufDraft& d) { d.version = version; });
  }
  for (const std::uint32_t version : {0x02000000U, 0x03000000U}) {
    shelf.Add("a1-big-endian-" + std::to_string(version >> 24), "big-endian",
              [=](GgufDraft& d) { d.version = version; });
  }
  for (const std::uint64_t count : {std::uint64_t{65537}, std::uint64_t{1} << 32, kHigh - 1, kHigh, kU64Max}) {
    shelf.Add("a1-count-of-tensors-" + std::to_string(count), "tensors", [=](GgufDraft& d) { d.tensor_count = count; });
    shelf.Add("a1-count-of-entries-" + std::to_string(count), "metadata entries",
              [=](GgufDraft& d) { d.entry_count = count; });
  }
  // What follows the tables is then taken for a part of them, or a part of them for what follows.
  shelf.Add("a1-one-tensor-too-many", "GGUF byte", [](GgufDraft& d) { d.tensor_count = d.tensors.size() + 1; });
  shelf.Add("a1-one-tensor-too-few", "blk.1.ffn_down.weight",
            [](GgufDraft& d) { d.tensor_count = d.tensors.size() - 1; });
  shelf.Add("a1-one-entry-too-many", "GGUF byte", [](GgufDraft& d) { d.entry_count = d.entries.size() + 1; });
  shelf.Add("a1-one-entry-too-few", shelf.good().entries.back().key,
            [](GgufDraft& d) { d.entry_count = d.entries.size() - 1; });
}

void AddExtents(BadModelShelf& shelf, const std::string& name) {
  const auto add = [&](const std::string& what, const std::string& names,
                       const std::function<void(GgufDraft::TensorLine&)>& spoil) {
    shelf.Add("a1-" + name + "-" + what, names, [&](GgufDraft& d) { spoil(d.tensor(name)); });
  };
  using Line = GgufDraft::TensorLine;
  add("no-dimensions", name, [](Line& l) { l.dimensions = 0, l.shape.clear(); });
  add("five-dimensions", name, [](Line& l) { l.dimensions = 5, l.shape = {32, 1, 1, 1, 1}; });
  add("4294967295-dimensions", name, [](Line& l) { l.dimensions = 0xFFFFFFFF; });
  add("0-columns", name, [](Line& l) { l.shape[0] = 0; });
  add("0-layers-of-rows", name, [](Line& l) { l.dimensions = 4, l.shape = {l.shape[0], 1, 1, 0}; });
  add("a-column-too-many", "tensor", [](Line& l) { ++l.shape[0]; });  // half a block, or past its neighbour
  add("columns-whose-bytes-wrap", name, [](Line& l) { l.shape[0] = std::uint64_t{1} << 62; });
  add("negative-columns", name, [](Line& l) { l.shape[0] = kU64Max - 31; });
  add("rows-that-wrap", name, [](Line& l) { l.dimensions = 2, l.shape = {l.shape[0], std::uint64_t{1} << 59}; });
  add("dimensions-that-wrap-together", name, [](Line& l) {
    l.dimensions = 4, l.shape = {1 << 16, 1 << 16, 1 << 16, 1 << 16};
  });
  add("an-exabyte", name, [](Line& l) { l.dimensions = 2, l.shape = {32, std::uint64_t{1} << 53}; });
  add("a-row-too-many", "tensor", [](Line& l) { l.dimensions = 2, l.shape = {l.shape[0], 1 + l.shape.back()}; });
  add("offset-off-the-alignment", name, [](Line& l) { l.offset += 16; });
  add("offset-behind-a-hole", "tensor", [](Line& l) { l.offset += 32; });
  add("offset-that-wraps", name, [](Line& l) { l.offset = kU64Max - 31; });
  add("offset-of-a-sign-bit", name, [](Line& l) { l.offset = kHigh; });
  add("offset-past-the-end", name, [](Line& l) { l.offset = std::uint64_t{1} << 40; });
  if (name != "token_embd.weight") add("offset-of-another-tensor", "tensor", [](Line& l) { l.offset = 0; });
}

void AddAlignments(BadModelShelf& shelf) {
  for (const std::uint32_t alignment : {0U, 1U, 4U, 7U, 24U, 33U, 65535U, 131072U, 0x80000000U, 0xFFFFFFFFU}) {
    shelf.Add("a1-alignment-" + std::to_string(alignment), "general.alignment", [=](GgufDraft& d) {
      d.Put("general.alignment", MetadataType::kUint32, Encoded<std::uint32_t>(alignment));
    });
  }
  // Good ones, but the data lies at multiples of 32.
  for (const std::uint32_t alignment : {64U, 4096U, 65536U}) {
    shelf.Add("a1-alignment-not-that-of-the-data-" + std::to_string(alignment), "tensor", [=](GgufDraft& d) {
      d.Put("general.alignment", MetadataType::kUint32, Encoded<std::uint32_t>(alignment));
    });
  }
}

void AddTables(BadModelShelf& shelf) {
  for (const GgufDraft::Entry& entry : shelf.good().entries) {
    shelf.Add("a1-key-twice-" + entry.key, entry.key, [&](GgufDraft& d) { d.entries.push_back(entry); });
  }
  for (const char* name : kTensors) {
    shelf.Add("a1-tensor-twice-" + std::string(name), name, [=](GgufDraft& d) { d.tensors.push_back(d.tensor(name)); });
    if (std::string_view(name) == "output.weight") continue;  // a model without one uses the embedding
    shelf.Add("a4-without-" + std::string(name), name, [=](GgufDraft& d) { d.RemoveTensor(name); });
  }
  shelf.Add("a1-a-tensor-name-of-65-bytes", "tensor name",
            [](GgufDraft& d) { d.tensors.back().name = std::string(65, 'n'); });
  shelf.Add("a1-an-empty-tensor-name", "tensor name", [](GgufDraft& d) { d.tensors.back().name.clear(); });
  shelf.Add("a1-an-empty-key", "metadata key", [](GgufDraft& d) { d.entries.back().key.clear(); });
}

}  // namespace

void AddBadSizes(BadModelShelf& shelf) {
  AddHeaders(shelf);
  for (const char* name : kTensors) AddExtents(shelf, name);
  AddAlignments(shelf);
  AddTables(shelf);
}

}  // namespace engine
