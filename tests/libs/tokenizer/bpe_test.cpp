#include "libs/tokenizer/internal/bpe.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <vector>

namespace tokenizer {
namespace {

// The definition of BPE, quadratic: find the pair of lowest rank (leftmost among equals), merge it, look again.
std::vector<TokenId> MergeByDefinition(const MergeTable& table, std::vector<TokenId> symbols) {
  while (true) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const MergeTable::Merge* merge = table.Find(symbols[i], symbols[i + 1]);
      if (merge == nullptr) continue;
      if (!best.has_value() || merge->rank < table.Find(symbols[*best], symbols[*best + 1])->rank) best = i;
    }
    if (!best.has_value()) return symbols;
    symbols[*best] = table.Find(symbols[*best], symbols[*best + 1])->merged;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(*best) + 1);
  }
}

// Goal: the heap gives what the definition gives. Method: random tables over few symbols, so that merges overlap and
// chain.
TEST(PairMergerTest, EqualsTheDefinitionOnRandomTables) {
  constexpr unsigned kSeed = 99;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  std::mt19937 rng(kSeed);
  for (int round = 0; round < 3'000; ++round) {
    MergeTable table;
    TokenId next_id = 3;
    for (std::uint32_t rank = 0; rank < 1 + rng() % 12; ++rank) {
      const auto left = static_cast<TokenId>(rng() % static_cast<unsigned>(next_id));
      const auto right = static_cast<TokenId>(rng() % static_cast<unsigned>(next_id));
      table.Add(left, right, {.rank = rank, .merged = next_id++});
    }
    std::vector<TokenId> word(rng() % 40);
    for (TokenId& symbol : word) symbol = static_cast<TokenId>(rng() % 3);
    PairMerger<MergeTable> merger;
    std::vector<TokenId> merged;
    merger.Merge(table, word, merged);
    ASSERT_EQ(merged, MergeByDefinition(table, word)) << "round " << round;
  }
}

TEST(PairMergerTest, AppendsAndIsReadyForTheNextWord) {
  MergeTable table;
  table.Add(0, 1, {.rank = 0, .merged = 2});
  PairMerger<MergeTable> merger;
  std::vector<TokenId> out;
  merger.Merge(table, std::vector<TokenId>{0, 1, 0}, out);
  merger.Merge(table, {}, out);
  merger.Merge(table, std::vector<TokenId>{1, 0, 1}, out);
  EXPECT_EQ(out, (std::vector<TokenId>{2, 0, 1, 2}));
}

// Goal: one huge word costs n log n. Method: counts heap entries, which no machine's speed changes. "aaaa...": each
// level of merges halves the word, the worst case for a merger that rescans.
TEST(PairMergerTest, ATwoMegabyteWordQueuesAtMostThreePairsASymbol) {
  constexpr std::size_t kSymbols = 2U << 20;
  MergeTable table;
  for (std::uint32_t rank = 0; rank < 20; ++rank) {
    table.Add(static_cast<TokenId>(rank), static_cast<TokenId>(rank),
              {.rank = rank, .merged = static_cast<TokenId>(rank) + 1});
  }
  PairMerger<MergeTable> merger;
  std::vector<TokenId> out;
  merger.Merge(table, std::vector<TokenId>(kSymbols, 0), out);
  EXPECT_EQ(out, (std::vector<TokenId>{20, 20}));
  EXPECT_GE(merger.pairs_queued(), kSymbols - 1);
  EXPECT_LE(merger.pairs_queued(), 3 * kSymbols);
}

}  // namespace
}  // namespace tokenizer
