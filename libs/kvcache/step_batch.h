#pragma once

#include <cstdint>
#include <vector>

namespace kvcache {

// The work of one forward pass: rows of many sequences, prefill chunks and decodes alike, and where their K/V lie.
// It is flat arrays because a GPU backend copies them as they are; the scheduler fills it, the model reads it, and it
// lives here so that neither of them includes the other.
//
// A row is one token to process. A sequence's rows are neighbours, with consecutive positions; each row writes the K/V
// of its own position and attends to positions [0, its own], which its blocks hold.
// Invariant: the row results depend only on the row's own sequence, never on the other rows; on a device also on how many
// rows there are (libs/model/gpu/README.md).
//
// A negative token id, on a device alone, names a token that the host does not know yet: -1 - i is what sample i of the
// step before picks.
struct StepBatch {
  std::vector<std::int32_t> token_ids;    // [rows]
  std::vector<std::int32_t> positions;    // [rows]
  std::vector<std::int32_t> row_begin;    // [sequences + 1] sequence s has rows row_begin[s] .. row_begin[s + 1] - 1
  std::vector<std::int32_t> block_begin;  // [sequences + 1] and blocks block_begin[s] .. block_begin[s + 1] - 1
  std::vector<std::uint32_t> block_ids;   // BlockId values, raw because kernels take raw pointers
  std::vector<std::int32_t> logit_rows;   // [samples] rows whose logits are wanted, ascending

  std::int32_t rows() const { return static_cast<std::int32_t>(token_ids.size()); }
  std::int32_t sequences() const { return static_cast<std::int32_t>(row_begin.empty() ? 0 : row_begin.size() - 1); }
  std::int32_t samples() const { return static_cast<std::int32_t>(logit_rows.size()); }

  // Empties the batch and keeps its memory.
  void Clear() {
    token_ids.clear();
    positions.clear();
    row_begin.assign(1, 0);
    block_begin.assign(1, 0);
    block_ids.clear();
    logit_rows.clear();
  }
};

}  // namespace kvcache
