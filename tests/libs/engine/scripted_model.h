#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "libs/base/check.h"
#include "libs/engine/internal/generator.h"

namespace engine {

// A model whose next token is a hash of all tokens before it, which it reads from its blocks as attention would. So a
// wrong block, a row in the wrong place or a token that went astray changes the answer. As a device does, it looks at a
// step only when the step is ended, with the picks of the step before for tokens that were not known.
class ScriptedModel final : public Generator {
 public:
  static constexpr std::int32_t kVocabulary = 26;  // 'a' to 'z'; a 'z' ends the turn

  struct Options {
    std::int32_t blocks_total = 16, block_size = 4, swap_blocks = 0;
    std::size_t steps_in_flight = 1;
    // Fails step n where it says so: while being started (0) or ended (1).
    std::function<absl::Status(std::uint64_t step, int when)> fault{};
    bool lost_after_fault = false;
    std::function<void(const std::function<void()>& tell_progress)> while_running{};  // in the middle of each step
  };

  explicit ScriptedModel(Options options)
      : options_(std::move(options)),
        cache_(static_cast<std::size_t>((options_.blocks_total + options_.swap_blocks) * options_.block_size), -1) {}

  static std::int32_t NextToken(std::uint64_t hash) { return static_cast<std::int32_t>((hash >> 20) % kVocabulary); }
  static std::uint64_t Extend(std::uint64_t hash, std::int32_t token) {
    return (hash ^ static_cast<std::uint64_t>(token + 1)) * 0x9E3779B97F4A7C15U;
  }

  // What any engine must answer.
  static std::string Answer(const std::string& prompt, std::int32_t tokens_max) {
    std::uint64_t hash = 1;
    for (char c : prompt) hash = Extend(hash, c - 'a');
    std::string text;
    while (static_cast<std::int32_t>(text.size()) < tokens_max) {
      const std::int32_t token = NextToken(hash);
      if (token == kVocabulary - 1) break;
      text.push_back(static_cast<char>('a' + token));
      hash = Extend(hash, token);
    }
    return text;
  }

  absl::StatusOr<Prepared> Prepare(const GenerationRequest& request) const override {
    Prepared prepared;
    for (char c : request.messages.back().content) prepared.prompt.push_back(c - 'a');
    for (std::int32_t i = 0; i < request.branches; ++i) {
      prepared.generations.push_back(std::make_unique<ScriptedGeneration>(*this));
    }
    return prepared;
  }

  absl::Status StartStep(const kvcache::StepBatch& batch, std::span<Generation* const> samples) override {
    CHECK(flights_.size() < options_.steps_in_flight && samples.size() == batch.logit_rows.size());
    if (options_.fault) {
      if (absl::Status status = options_.fault(steps_++, 0); !status.ok()) return Failed(std::move(status));
    }
    flights_.push_back(batch);
    return absl::OkStatus();
  }

  absl::Status EndStep() override {
    const kvcache::StepBatch batch = std::move(flights_.front());
    flights_.pop_front();
    Compute(batch);
    if (options_.while_running) options_.while_running(on_progress_);
    if (options_.fault) {
      if (absl::Status status = options_.fault(steps_, 1); !status.ok()) return Failed(std::move(status));
    }
    return absl::OkStatus();
  }

  void set_on_progress(std::function<void()> on_progress) override { on_progress_ = std::move(on_progress); }
  std::size_t steps_in_flight_max() const override { return options_.steps_in_flight; }
  bool device_lost() const override { return lost_; }
  std::int32_t CountTokens(std::string_view text) const override { return static_cast<std::int32_t>(text.size()); }
  std::int32_t vocabulary_size() const override { return kVocabulary; }
  std::int32_t context_tokens_max() const override { return 1 << 20; }
  std::string model_name() const override { return "scripted"; }
  std::string device_name() const override { return "none"; }

 private:
  class ScriptedGeneration final : public Generation {
   public:
    explicit ScriptedGeneration(const ScriptedModel& model) : model_(model) {}

    absl::StatusOr<Next> PickToken(std::int32_t sample) override {
      Next next{.token = model_.picks_.at(static_cast<std::size_t>(sample)), .ended = {}};
      if (next.token == kVocabulary - 1) {
        next.ended = FinishReason::kEndOfTurn;
        next.counts = false;
      } else {
        text_.push_back(static_cast<char>('a' + next.token));
      }
      return next;
    }
    std::string_view text() const override { return text_; }
    std::string TakeText() override { return std::move(text_); }

   private:
    const ScriptedModel& model_;
    std::string text_;
  };

  absl::Status Failed(absl::Status status) {
    lost_ = options_.lost_after_fault;
    return status;
  }

  std::size_t SlotOf(const kvcache::StepBatch& batch, std::size_t sequence, std::int32_t position) const {
    const auto block = static_cast<std::size_t>(batch.block_begin[sequence] + position / options_.block_size);
    CHECK(static_cast<std::int32_t>(block) < batch.block_begin[sequence + 1]);
    const auto size = static_cast<std::size_t>(options_.block_size);
    return batch.block_ids[block] * size + static_cast<std::size_t>(position) % size;
  }

  void CopyBlock(std::uint32_t from, std::uint32_t to) {
    const auto size = static_cast<std::size_t>(options_.block_size);
    std::copy_n(cache_.begin() + static_cast<std::ptrdiff_t>(from * size), size,
                cache_.begin() + static_cast<std::ptrdiff_t>(to * size));
  }

  void Compute(const kvcache::StepBatch& batch) {
    const auto slots = static_cast<std::uint32_t>(options_.blocks_total);
    for (const auto& move : batch.swap_out) CopyBlock(move.from, slots + move.to);
    for (const auto& move : batch.copies) CopyBlock(move.from, move.to);
    for (const auto& move : batch.swap_in) CopyBlock(slots + move.from, move.to);
    std::vector<std::int32_t> picks;
    for (std::size_t s = 0; s + 1 < batch.row_begin.size(); ++s) {
      for (auto row = static_cast<std::size_t>(batch.row_begin[s]);
           static_cast<std::int32_t>(row) < batch.row_begin[s + 1]; ++row) {
        const std::int32_t token = batch.token_ids[row];
        cache_.at(SlotOf(batch, s, batch.positions[row])) =
            token >= 0 ? token : picks_.at(static_cast<std::size_t>(-1 - token));
      }
      const std::int32_t last_row = batch.row_begin[s + 1] - 1;
      if (picks.size() == batch.logit_rows.size() || batch.logit_rows[picks.size()] != last_row) continue;
      std::uint64_t hash = 1;
      for (std::int32_t p = 0; p <= batch.positions[static_cast<std::size_t>(last_row)]; ++p) {
        hash = Extend(hash, cache_.at(SlotOf(batch, s, p)));
      }
      while (picks.size() < batch.logit_rows.size() && batch.logit_rows[picks.size()] == last_row) {
        picks.push_back(NextToken(hash));  // once for each branch
      }
    }
    picks_ = std::move(picks);
  }

  const Options options_;
  std::vector<std::int32_t> cache_;  // [blocks_total + swap_blocks][block_size] the token at each position
  std::deque<kvcache::StepBatch> flights_;
  std::vector<std::int32_t> picks_;  // of the step ended last
  std::function<void()> on_progress_;
  std::uint64_t steps_ = 0;
  bool lost_ = false;
};

}  // namespace engine
