#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libs/tokenizer/tokenizer.h"

namespace tokenizer {

// The merge rules of a vocabulary: two neighbouring tokens become one; a lower rank goes first.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank = 0;
    TokenId merged = 0;
  };

  void Reserve(std::size_t count) { merges_.reserve(count); }
  // A pair that is added twice keeps its last rule, as in the reference.
  void Add(TokenId left, TokenId right, Merge merge) { merges_[Key(left, right)] = merge; }
  const Merge* Find(TokenId left, TokenId right) const {
    const auto found = merges_.find(Key(left, right));
    return found == merges_.end() ? nullptr : &found->second;
  }

 private:
  static std::uint64_t Key(TokenId left, TokenId right) {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) | static_cast<std::uint32_t>(right);
  }

  absl::flat_hash_map<std::uint64_t, Merge> merges_;
};

// Applies the rules to one word: always the pair of lowest rank, the leftmost among equals, until no pair has a rule.
//
// A heap over a linked list: each merge adds at most two pairs, so a word of n symbols costs at most 3n heap operations
// (O(n log n)), where rescanning the word after each merge would cost n^2.
// Memory: about 30 bytes a symbol while it runs; kept for the next word. Threading: one thread.
class WordMerger {
 public:
  explicit WordMerger(const MergeTable& table) : table_(&table) {}

  // Appends the tokens of the word whose bytes are `symbols` to `out`. REQUIRES: symbols.size() < 2^31.
  void Merge(std::span<const TokenId> symbols, std::vector<TokenId>& out);

  // Pairs that ever entered the heap; the bound above is tested on this count, not on a clock.
  std::uint64_t pairs_queued() const { return pairs_queued_; }

 private:
  struct Symbol {
    TokenId id;             // kMergedAway when its left neighbour absorbed it
    std::int32_t previous;  // index or -1
    std::int32_t next;      // index or -1
  };

  void QueuePair(std::int32_t left);
  void Apply(std::int32_t left, TokenId merged);

  const MergeTable* table_;
  std::vector<Symbol> symbols_;
  std::vector<std::uint64_t> heap_;  // rank in the high half, index of the left symbol in the low half
  std::uint64_t pairs_queued_ = 0;
};

}  // namespace tokenizer
