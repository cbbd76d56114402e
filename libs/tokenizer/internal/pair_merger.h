#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "libs/base/check.h"

namespace tokenizer {

// Longer stretches are merged in parts, so that the memory of one is bounded (by about 200 MB) and its indices fit 32
// bits. No context window of a model holds such a stretch.
inline constexpr std::size_t kMergedBytesMax = 4U << 20;

// Merges neighbouring symbols until no pair has a rule: always the pair of lowest rank, the leftmost among equals. That
// is byte-level BPE (a symbol is a token, a rank the line of a merge) and SentencePiece's BPE (a symbol is a stretch of
// text, a rank the place of its score), so both share this.
//
// A heap over a linked list: each merge adds at most two pairs, so n symbols cost at most 3n heap operations
// (O(n log n)), where rescanning after each merge would cost n^2.
//
// Rules: a type Symbol, and Find(left, right), which gives something like a pointer to {rank, merged}, or null.
// Memory: about 30 bytes a symbol while it runs; kept for the next stretch. Threading: one thread.
template <typename Rules>
class PairMerger {
 public:
  using Symbol = typename Rules::Symbol;

  // Appends what `symbols` merge to. REQUIRES: symbols.size() < 2^31.
  void Merge(const Rules& rules, std::span<const Symbol> symbols, std::vector<Symbol>& out) {
    CHECK(symbols.size() < std::size_t{std::numeric_limits<std::int32_t>::max()});
    const auto count = static_cast<std::int32_t>(symbols.size());
    nodes_.clear();
    heap_.clear();
    for (std::int32_t i = 0; i < count; ++i) {
      nodes_.push_back({symbols[static_cast<std::size_t>(i)], i - 1, i + 1 < count ? i + 1 : kNone});
    }
    for (std::int32_t i = 0; i < count; ++i) QueuePair(rules, i);
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      const std::uint64_t top = heap_.back();
      heap_.pop_back();
      const auto left = static_cast<std::int32_t>(top & 0xFFFFFFFFU);
      if (At(left).next < 0) continue;  // the last one by now, or absorbed by its left neighbour
      // The pair may have changed since it was queued; then the new pair has an entry of its own.
      const auto merge = rules.Find(At(left).symbol, At(At(left).next).symbol);
      if (!merge || merge->rank != top >> 32) continue;
      Apply(rules, left, merge->merged);
    }
    for (std::int32_t at = count == 0 ? kNone : 0; at >= 0; at = At(at).next) out.push_back(At(at).symbol);
  }

  // Pairs that ever entered the heap; the bound above is tested on this count, not on a clock.
  std::uint64_t pairs_queued() const { return pairs_queued_; }

 private:
  static constexpr std::int32_t kNone = -1;
  static constexpr std::int32_t kAbsorbed = -2;

  struct Node {
    Symbol symbol;
    std::int32_t previous;  // index or kNone
    std::int32_t next;      // index, kNone or kAbsorbed
  };

  Node& At(std::int32_t index) { return nodes_[static_cast<std::size_t>(index)]; }

  void QueuePair(const Rules& rules, std::int32_t left) {
    if (At(left).next < 0) return;
    const auto merge = rules.Find(At(left).symbol, At(At(left).next).symbol);
    if (!merge) return;
    heap_.push_back((std::uint64_t{merge->rank} << 32) | static_cast<std::uint32_t>(left));
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
    ++pairs_queued_;
  }

  void Apply(const Rules& rules, std::int32_t left, Symbol merged) {
    Node& node = At(left);
    Node& absorbed = At(node.next);
    node.symbol = merged;
    node.next = absorbed.next;
    absorbed.next = kAbsorbed;
    if (node.next >= 0) At(node.next).previous = left;
    if (node.previous >= 0) QueuePair(rules, node.previous);
    QueuePair(rules, left);
  }

  std::vector<Node> nodes_;
  std::vector<std::uint64_t> heap_;  // rank in the high half, index of the left symbol in the low half
  std::uint64_t pairs_queued_ = 0;
};

}  // namespace tokenizer
