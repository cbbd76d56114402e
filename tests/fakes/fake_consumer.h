#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "libs/bus/consumer.h"

namespace fakes {

// A bus::Consumer that owns one partition of `mesh.turns` and remembers what it is told. Notes are durable at once, or
// when the test says so.
//
// Threading: safe from any thread.
class FakeConsumer final : public bus::Consumer {
 public:
  void Start() override {}
  void Stop(base::MonotonicTime) override {}
  void MarkDone(const bus::TopicPartition&, std::int64_t offset) override {
    std::lock_guard lock(mutex_);
    done_.insert(offset);
    notes_.erase(offset);
  }
  void Note(const bus::TopicPartition&, std::int64_t offset, std::uint32_t note,
            std::function<void(bool)> on_durable) override {
    bool durable = true;
    {
      std::lock_guard lock(mutex_);
      if (refusals_ > 0) {
        --refusals_;
        durable = false;
      } else {
        notes_[offset] = note;
        noted_.emplace_back(offset, note);
        if (hold_notes_) {
          held_.push_back(std::move(on_durable));
          return;
        }
      }
    }
    if (on_durable) on_durable(durable);
  }
  void Pause(const bus::TopicPartition&) override {
    std::lock_guard lock(mutex_);
    ++pauses_;
  }
  void Resume(const bus::TopicPartition&) override {
    std::lock_guard lock(mutex_);
    ++resumes_;
  }
  absl::Status CommitNow(base::MonotonicTime) override { return absl::OkStatus(); }
  std::vector<bus::TopicPartition> assignment() const override { return {{"mesh.turns", 0}}; }
  bool polling() const override { return true; }
  absl::Status broker_status() const override { return absl::OkStatus(); }

  // Knobs.
  void RefuseNotes(int count) {
    std::lock_guard lock(mutex_);
    refusals_ = count;
  }
  void HoldNotes() {
    std::lock_guard lock(mutex_);
    hold_notes_ = true;
  }
  void ReleaseNotes() {
    std::vector<std::function<void(bool)>> held;
    {
      std::lock_guard lock(mutex_);
      hold_notes_ = false;
      held.swap(held_);
    }
    for (const auto& on_durable : held) {
      if (on_durable) on_durable(true);
    }
  }

  std::set<std::int64_t> done() const {
    std::lock_guard lock(mutex_);
    return done_;
  }
  // By offset, as the next owner would find them.
  std::map<std::int64_t, std::uint32_t> notes() const {
    std::lock_guard lock(mutex_);
    return notes_;
  }
  // All that were ever made, in order: offset and note.
  std::vector<std::pair<std::int64_t, std::uint32_t>> noted() const {
    std::lock_guard lock(mutex_);
    return noted_;
  }
  int pauses() const {
    std::lock_guard lock(mutex_);
    return pauses_;
  }
  int resumes() const {
    std::lock_guard lock(mutex_);
    return resumes_;
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::int64_t> done_;  // all below protected by mutex_
  std::map<std::int64_t, std::uint32_t> notes_;
  std::vector<std::pair<std::int64_t, std::uint32_t>> noted_;
  std::vector<std::function<void(bool)>> held_;
  bool hold_notes_ = false;
  int refusals_ = 0;
  int pauses_ = 0;
  int resumes_ = 0;
};

}  // namespace fakes
