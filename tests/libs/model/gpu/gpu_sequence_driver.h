#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "libs/model/gpu/gpu_model.h"
#include "libs/scheduler/scheduler.h"

namespace model {

// Generates for several sequences through the real scheduler, as the engine does, with one or two steps in flight.
// Logits can be kept with one step in flight alone.
class GpuSequenceDriver {
 public:
  struct Outcome {
    std::vector<std::int32_t> tokens;        // generated
    std::vector<std::vector<float>> logits;  // before each of them, if kept
  };

  GpuSequenceDriver(GpuModel& model, scheduler::Scheduler& scheduler, std::size_t steps_in_flight, bool keep_logits)
      : model_(model), scheduler_(scheduler), steps_in_flight_(steps_in_flight), keep_logits_(keep_logits) {}

  // `forced`: goes on with these tokens, whatever is picked.
  void Start(std::uint64_t id, std::vector<std::int32_t> prompt, std::int32_t tokens, const StepSample& sample = {},
             std::vector<std::int32_t> forced = {}) {
    sequences_[id] = {.left = tokens, .sample = sample, .forced = std::move(forced)};
    ASSERT_TRUE(scheduler_.Enqueue({scheduler::SequenceId(id), "tenant", std::move(prompt), tokens, {}}).ok());
  }

  // Starts a step, if there is one, and ends the oldest in flight, unless there is room for another. False: all is
  // done.
  bool Step() {
    const scheduler::Step& step = scheduler_.BuildStep();
    const bool started = step.batch.rows() > 0;
    if (started) {
      std::vector<StepSample> samples;
      for (scheduler::SequenceId id : step.samples) {
        Sequence& sequence = sequences_.at(id.value());
        samples.push_back(sequence.sample);
        ++sequence.sample.draw;
        sequence.sample.seen = {};  // the device keeps it from here on
      }
      const absl::Status status = model_.Enqueue(step.batch, samples);
      EXPECT_TRUE(status.ok()) << status;
      scheduler_.CompleteStep();
      for (std::size_t i = 0; i < step.samples.size(); ++i) {
        scheduler_.ExpectToken(step.samples[i], static_cast<std::int32_t>(i));
      }
      flights_.push_back(step.samples);
      if (flights_.size() < steps_in_flight_) return true;
    }
    if (flights_.empty()) return false;
    End();
    return true;
  }

  void RunAll() {
    while (Step()) {
    }
  }

  const Outcome& outcome(std::uint64_t id) const { return outcomes_.at(id); }

 private:
  struct Sequence {
    std::int32_t left = 0;
    StepSample sample;
    std::vector<std::int32_t> forced;
  };

  void End() {
    const std::vector<scheduler::SequenceId> samples = std::move(flights_.front());
    flights_.pop_front();
    const auto picks = model_.Collect();
    ASSERT_TRUE(picks.ok()) << picks.status();
    ASSERT_EQ(picks->size(), samples.size());
    std::vector<float> logits;
    if (keep_logits_) logits = *model_.ReadLogits(static_cast<std::int32_t>(samples.size()));
    const auto vocabulary = static_cast<std::ptrdiff_t>(model_.config().vocabulary);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto entry = sequences_.find(samples[i].value());
      if (entry == sequences_.end()) continue;
      Outcome& outcome = outcomes_[samples[i].value()];
      if (keep_logits_) {
        const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i) * vocabulary;
        outcome.logits.emplace_back(row, row + vocabulary);
      }
      const std::vector<std::int32_t>& forced = entry->second.forced;
      outcome.tokens.push_back(forced.empty() ? (*picks)[i] : forced[outcome.tokens.size()]);
      if (--entry->second.left == 0) {
        scheduler_.Remove(samples[i]);
        sequences_.erase(entry);
      } else {
        scheduler_.ResolveToken(samples[i], outcome.tokens.back());
      }
    }
  }

  GpuModel& model_;
  scheduler::Scheduler& scheduler_;
  const std::size_t steps_in_flight_;
  const bool keep_logits_;
  std::deque<std::vector<scheduler::SequenceId>> flights_;
  std::map<std::uint64_t, Sequence> sequences_;  // that still run
  std::map<std::uint64_t, Outcome> outcomes_;
};

}  // namespace model
