#include "libs/tokenizer/internal/bpe.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "libs/base/check.h"

namespace tokenizer {
namespace {

constexpr TokenId kMergedAway = -1;

}  // namespace

void WordMerger::Merge(std::span<const TokenId> symbols, std::vector<TokenId>& out) {
  CHECK(symbols.size() < std::size_t{std::numeric_limits<std::int32_t>::max()});
  const auto count = static_cast<std::int32_t>(symbols.size());
  symbols_.clear();
  heap_.clear();
  for (std::int32_t i = 0; i < count; ++i) {
    symbols_.push_back(
        {.id = symbols[static_cast<std::size_t>(i)], .previous = i - 1, .next = i + 1 < count ? i + 1 : -1});
  }
  for (std::int32_t i = 0; i < count; ++i) QueuePair(i);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    const std::uint64_t top = heap_.back();
    heap_.pop_back();
    const auto left = static_cast<std::int32_t>(top & 0xFFFFFFFFU);
    const Symbol& symbol = symbols_[static_cast<std::size_t>(left)];
    if (symbol.id == kMergedAway || symbol.next < 0) continue;
    // The pair may have changed since it was queued; then the new pair has an entry of its own.
    const MergeTable::Merge* merge = table_->Find(symbol.id, symbols_[static_cast<std::size_t>(symbol.next)].id);
    if (merge == nullptr || merge->rank != top >> 32) continue;
    Apply(left, merge->merged);
  }
  for (std::int32_t at = count == 0 ? -1 : 0; at >= 0; at = symbols_[static_cast<std::size_t>(at)].next) {
    out.push_back(symbols_[static_cast<std::size_t>(at)].id);
  }
}

void WordMerger::QueuePair(std::int32_t left) {
  const Symbol& symbol = symbols_[static_cast<std::size_t>(left)];
  if (symbol.next < 0) return;
  const MergeTable::Merge* merge = table_->Find(symbol.id, symbols_[static_cast<std::size_t>(symbol.next)].id);
  if (merge == nullptr) return;
  heap_.push_back((std::uint64_t{merge->rank} << 32) | static_cast<std::uint32_t>(left));
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  ++pairs_queued_;
}

void WordMerger::Apply(std::int32_t left, TokenId merged) {
  Symbol& symbol = symbols_[static_cast<std::size_t>(left)];
  Symbol& absorbed = symbols_[static_cast<std::size_t>(symbol.next)];
  symbol.id = merged;
  symbol.next = absorbed.next;
  absorbed.id = kMergedAway;
  if (symbol.next >= 0) symbols_[static_cast<std::size_t>(symbol.next)].previous = left;
  if (symbol.previous >= 0) QueuePair(symbol.previous);
  QueuePair(left);
}

}  // namespace tokenizer
