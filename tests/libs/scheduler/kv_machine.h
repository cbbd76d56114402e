#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libs/scheduler/scheduler.h"

namespace scheduler {

// A machine that runs steps as a model does, over a KV memory in which each slot holds a hash of the tenant and of all
// tokens up to its position: what real keys and values depend on. Each row checks every slot that it may read, so a
// block that was lost, shared wrongly, overwritten or never written shows at the first row that would have seen it. The
// next token is a function of the last slot, the sequence's seed and how many it drew, so that an answer has one right
// value whatever the scheduler does. Branch i of a fork has the seed of its sequence plus i.
//
// Steps run at once, in order, as on a device; what they picked may be told later. A token that was not told yet must
// be named by its sample.
class KvMachine {
 public:
  explicit KvMachine(const SchedulerOptions& options)
      : block_size_(options.block_size),
        memory_(static_cast<std::size_t>(options.blocks_total), Block(static_cast<std::size_t>(options.block_size))),
        host_(static_cast<std::size_t>(options.swap_blocks), Block(static_cast<std::size_t>(options.block_size))) {}

  static constexpr std::int32_t kVocabulary = 3;  // few, so that prefixes meet by chance

  void Add(SequenceId id, std::string_view tenant, std::vector<std::int32_t> prompt, std::uint64_t seed) {
    const std::size_t length = prompt.size();
    sequences_[id.value()] = {Root(tenant), std::move(prompt), length, length, seed};
  }
  void Forget(SequenceId id) { sequences_.erase(id.value()); }

  // Runs a step; what the machine expects of it fails the test.
  void Run(const Step& step) {
    const kvcache::StepBatch& batch = step.batch;
    const std::vector<SequenceId> before = std::exchange(sampled_, step.samples);
    for (const auto& move : batch.swap_out) host_.at(move.to) = memory_.at(move.from);
    for (const auto& move : batch.copies) memory_.at(move.to) = memory_.at(move.from);
    for (const auto& move : batch.swap_in) memory_.at(move.to) = host_.at(move.from);
    std::size_t samples_seen = 0;
    for (std::size_t s = 0; s < step.members.size(); ++s) {
      Sequence& sequence = sequences_.at(step.members[s].value());
      const auto begin = static_cast<std::size_t>(batch.row_begin[s]),
                 end = static_cast<std::size_t>(batch.row_begin[s + 1]);
      ASSERT_LT(begin, end);
      std::uint64_t hash = sequence.root;
      for (std::int32_t p = 0; p < batch.positions[begin]; ++p) {
        hash = Extend(hash, sequence.tokens.at(static_cast<std::size_t>(p)));
        ASSERT_EQ(Slot(batch, s, p), hash) << "position " << p << " holds another sequence's keys";
      }
      for (std::size_t row = begin; row < end; ++row) {
        const auto position = static_cast<std::size_t>(batch.positions[row]);
        ASSERT_EQ(position, static_cast<std::size_t>(batch.positions[begin]) + row - begin);
        CheckToken(batch.token_ids[row], sequence, position, before, step.members[s]);
        hash = Extend(hash, sequence.tokens.at(position));
        Slot(batch, s, batch.positions[row]) = hash;
      }
      const Sequence prefilled = sequence;
      for (std::uint64_t branch = 0; samples_seen < step.samples.size(); ++branch, ++samples_seen) {
        const SequenceId id(step.members[s].value() + branch);
        const bool of_this_row = batch.logit_rows[samples_seen] == static_cast<std::int32_t>(end) - 1;
        if (step.samples[samples_seen] != id || !of_this_row) break;
        ASSERT_EQ(static_cast<std::size_t>(batch.positions[end - 1]) + 1, prefilled.tokens.size());
        const bool made = sequences_.emplace(id.value(), prefilled).second;
        ASSERT_EQ(made, branch > 0) << "a branch is made once";
        Sequence& sampled = sequences_.at(id.value());
        sampled.seed += branch;
        sampled.tokens.push_back(Pick(hash, sampled.seed, sampled.tokens.size()));
      }
    }
    ASSERT_EQ(samples_seen, step.samples.size());
  }

  // What the sequence picked and was not told: from now on it is.
  std::int32_t Tell(SequenceId id) {
    Sequence& sequence = sequences_.at(id.value());
    return sequence.tokens.at(sequence.told++);
  }

  std::vector<std::int32_t> Answer(SequenceId id) const {
    const Sequence& sequence = sequences_.at(id.value());
    return {sequence.tokens.begin() + static_cast<std::ptrdiff_t>(sequence.prompt_tokens),
            sequence.tokens.begin() + static_cast<std::ptrdiff_t>(sequence.told)};
  }
  // Prompt and answer so far.
  std::vector<std::int32_t> Conversation(SequenceId id) const {
    const Sequence& sequence = sequences_.at(id.value());
    return {sequence.tokens.begin(), sequence.tokens.begin() + static_cast<std::ptrdiff_t>(sequence.told)};
  }

 private:
  using Block = std::vector<std::uint64_t>;  // [block_size]

  struct Sequence {
    std::uint64_t root = 0;
    std::vector<std::int32_t> tokens;  // prompt and picks, told or not
    std::size_t prompt_tokens = 0;
    std::size_t told = 0;
    std::uint64_t seed = 0;
  };

  static std::uint64_t Extend(std::uint64_t hash, std::int32_t token) {
    return (hash ^ static_cast<std::uint64_t>(token + 1)) * 0x9E3779B97F4A7C15U;
  }
  static std::uint64_t Root(std::string_view tenant) {
    std::uint64_t hash = 0x1234567U;
    for (char c : tenant) hash = Extend(hash, c);
    return hash;
  }
  static std::int32_t Pick(std::uint64_t hash, std::uint64_t seed, std::size_t draw) {
    const std::uint64_t mixed = (hash + seed * 0xD1342543DE82EF95U + draw) * 0xBF58476D1CE4E5B9U;
    return static_cast<std::int32_t>((mixed >> 33) % kVocabulary);
  }

  void CheckToken(std::int32_t token, const Sequence& sequence, std::size_t position,
                  const std::vector<SequenceId>& before, SequenceId id) const {
    if (position < sequence.told) {
      ASSERT_EQ(token, sequence.tokens.at(position));
    } else {
      ASSERT_LT(token, 0) << "a token that nobody told";
      ASSERT_EQ(before.at(static_cast<std::size_t>(-1 - token)), id) << "a token of another sequence";
    }
  }

  std::uint64_t& Slot(const kvcache::StepBatch& batch, std::size_t sequence, std::int32_t position) {
    const auto block = static_cast<std::size_t>(batch.block_begin[sequence] + position / block_size_);
    EXPECT_LT(static_cast<std::int32_t>(block), batch.block_begin[sequence + 1]);
    return memory_.at(batch.block_ids.at(block)).at(static_cast<std::size_t>(position % block_size_));
  }

  const std::int32_t block_size_;
  std::vector<Block> memory_;  // [blocks_total]
  std::vector<Block> host_;    // [swap_blocks]
  std::map<std::uint64_t, Sequence> sequences_;
  std::vector<SequenceId> sampled_;  // of the step run last
};

}  // namespace scheduler
