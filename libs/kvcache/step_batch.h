#pragma once

#include <cstdint>
#include <vector>

namespace kvcache {

struct BlockMove {
  std::uint32_t from = 0, to = 0;
  friend bool operator==(const BlockMove&, const BlockMove&) = default;
};

// The work of one forward pass: rows of many sequences, prefill chunks and decodes alike, and where their K/V lie.
// It is flat arrays because a GPU backend copies them as they are; the scheduler fills it, the model reads it, and it
// lives here so that neither of them includes the other.
//
// A row is one token to process. A sequence's rows are neighbours, with consecutive positions; each row writes the K/V
// of its own position and attends to positions [0, its own], which its blocks hold.
// Invariant: the row results depend only on the row's own sequence, never on the other rows; on a device also on how
// many rows there are (libs/model/gpu/README.md).
//
// Before its rows, a step moves whole blocks, in this order and each list in its own: swap_out, copies, swap_in. The
// scheduler names host slots only within the number that its options say.
//
// A negative token id, on a device alone, names a token that the host does not know yet: -1 - i is what sample i of the
// step before picks.
struct StepBatch {
  std::vector<std::int32_t> token_ids;    // [rows]
  std::vector<std::int32_t> positions;    // [rows]
  std::vector<std::int32_t> row_begin;    // [sequences + 1] sequence s has rows row_begin[s] .. row_begin[s + 1] - 1
  std::vector<std::int32_t> block_begin;  // [sequences + 1] and blocks block_begin[s] .. block_begin[s + 1] - 1
  std::vector<std::uint32_t> block_ids;   // BlockId values, raw because kernels take raw pointers
  // [samples] rows whose logits are wanted, ascending; a row stands there once for each branch that samples it
  std::vector<std::int32_t> logit_rows;
  std::vector<BlockMove> swap_out;  // from a block to a host slot
  std::vector<BlockMove> copies;    // from a block to another: copy on write
  std::vector<BlockMove> swap_in;   // from a host slot to a block

  std::int32_t rows() const { return static_cast<std::int32_t>(token_ids.size()); }
  std::int32_t sequences() const { return static_cast<std::int32_t>(row_begin.empty() ? 0 : row_begin.size() - 1); }
  std::int32_t samples() const { return static_cast<std::int32_t>(logit_rows.size()); }

  bool moves() const { return !swap_out.empty() || !copies.empty() || !swap_in.empty(); }

  // Empties the batch and keeps its memory.
  void Clear() {
    ClearRows();
    swap_out.clear();
    copies.clear();
    swap_in.clear();
  }
  void ClearRows() {
    token_ids.clear();
    positions.clear();
    row_begin.assign(1, 0);
    block_begin.assign(1, 0);
    block_ids.clear();
    logit_rows.clear();
  }
};

}  // namespace kvcache
