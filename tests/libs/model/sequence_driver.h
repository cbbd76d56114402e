#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "libs/base/check.h"
#include "libs/model/decoder_model.h"
#include "libs/scheduler/scheduler.h"

namespace model {

inline std::int32_t ArgMax(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Generates greedily for several sequences through the real scheduler and keeps what they saw. Tests use it where the
// engine's own loop would hide the logits.
class SequenceDriver {
 public:
  struct Outcome {
    std::vector<std::int32_t> tokens;        // generated
    std::vector<std::vector<float>> logits;  // before each of them, if kept
  };

  SequenceDriver(DecoderModel& model, scheduler::Scheduler& scheduler, bool keep_logits)
      : model_(model), scheduler_(scheduler), keep_logits_(keep_logits) {}

  void Start(std::uint64_t id, std::vector<std::int32_t> prompt, std::int32_t tokens) {
    left_[id] = tokens;
    CHECK(scheduler_.Enqueue({scheduler::SequenceId(id), "tenant", std::move(prompt), tokens, {}}).ok());
  }

  // Runs one step; false when there was nothing to do.
  bool Step() {
    const scheduler::Step& step = scheduler_.BuildStep();
    if (step.batch.rows() == 0) return false;
    model_.ForwardStep(step.batch);
    scheduler_.CompleteStep();
    for (std::size_t i = 0; i < step.samples.size(); ++i) {
      const std::uint64_t id = step.samples[i].value();
      const std::span<const float> logits = model_.logits(static_cast<std::int32_t>(i));
      Outcome& outcome = outcomes_[id];
      if (keep_logits_) outcome.logits.emplace_back(logits.begin(), logits.end());
      outcome.tokens.push_back(ArgMax(logits));
      if (--left_[id] == 0) {
        scheduler_.Remove(step.samples[i]);
      } else {
        scheduler_.AppendToken(step.samples[i], outcome.tokens.back());
      }
    }
    return true;
  }

  void RunAll() {
    while (Step()) {
    }
  }

  const Outcome& outcome(std::uint64_t id) const { return outcomes_.at(id); }

 private:
  DecoderModel& model_;
  scheduler::Scheduler& scheduler_;
  const bool keep_logits_;
  std::map<std::uint64_t, std::int32_t> left_;
  std::map<std::uint64_t, Outcome> outcomes_;
};

}  // namespace model
