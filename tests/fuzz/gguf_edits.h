#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace fuzz {

// A tiny chat model's file after the edits that `script` spells, a few bytes each: types and element types exchanged,
// numbers at the edges of their types, counts, lengths, shapes and offsets that lie, entries and tensors missing, twice
// or exchanged, text of the script's own bytes, weights that are no numbers, and cuts. Any bytes are a script, so that
// a fuzzing engine that knows nothing of GGUF reaches what lies behind the header.
std::string EditedModel(std::span<const std::uint8_t> script);

}  // namespace fuzz
