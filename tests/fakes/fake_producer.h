#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "libs/bus/producer.h"

namespace fakes {

// A bus::Producer without a broker that behaves like one: reports come on a thread of its own, in order;
// records can be refused, held back, or find the queue full. What was accepted is kept for the test to look at.
//
// Threading: safe from any thread.
// Lifetime:  the destructor reports what is held as Unavailable, so that every callback runs.
class FakeProducer final : public bus::Producer {
 public:
  FakeProducer() : poll_thread_([this] { Poll(); }) {}
  ~FakeProducer() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    poll_thread_.join();
    for (Pending& pending : pending_) pending.on_delivery(absl::UnavailableError("the producer is shutting down"));
  }

  // Knobs, effective for records produced and reported afterwards.
  void FailWhen(std::function<absl::Status(const bus::OutgoingRecord&)> fault) {
    std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }
  void Hold(bool hold) {
    {
      std::lock_guard lock(mutex_);
      hold_ = hold;
    }
    changed_.notify_all();
  }
  void SetQueueRecordsMax(std::size_t queue_records_max) {
    std::lock_guard lock(mutex_);
    queue_records_max_ = queue_records_max;
  }
  void SetBrokerStatus(absl::Status status) {
    std::lock_guard lock(mutex_);
    broker_status_ = std::move(status);
  }

  // What has been persisted, in order.
  std::vector<bus::OutgoingRecord> log() const {
    std::lock_guard lock(mutex_);
    return log_;
  }
  std::size_t pending_count() const {
    std::lock_guard lock(mutex_);
    return pending_.size();
  }
  // False when `count` records have not been produced (reported or not) within the time.
  bool WaitForProduced(std::size_t count, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return produced_ >= count; });
  }

  // bus::Producer
  void Produce(bus::OutgoingRecord record, bus::DeliveryCallback on_delivery) override {
    {
      std::lock_guard lock(mutex_);
      if (pending_.size() < queue_records_max_) {
        ++produced_;
        pending_.push_back({std::move(record), std::move(on_delivery)});
        changed_.notify_all();
        return;
      }
    }
    on_delivery(absl::UnavailableError("the producer's queue is full"));  // at once and on this thread, as the real one
  }
  absl::Status Flush(base::MonotonicTime deadline) override {
    std::unique_lock lock(mutex_);
    const bool empty = changed_.wait_until(lock, deadline, [&] { return pending_.empty() && !reporting_; });
    return empty ? absl::OkStatus() : absl::DeadlineExceededError("records are in flight");
  }
  absl::Status broker_status() const override {
    std::lock_guard lock(mutex_);
    return broker_status_;
  }

 private:
  struct Pending {
    bus::OutgoingRecord record;
    bus::DeliveryCallback on_delivery;
  };

  void Poll() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stopping_ || (!hold_ && !pending_.empty()); });
      if (stopping_) return;
      Pending next = std::move(pending_.front());
      pending_.pop_front();
      const absl::Status fault = fault_ ? fault_(next.record) : absl::OkStatus();
      const std::int64_t offset = static_cast<std::int64_t>(log_.size());
      if (fault.ok()) log_.push_back(next.record);
      reporting_ = true;
      lock.unlock();
      if (fault.ok()) {
        next.on_delivery(bus::RecordPosition{.partition = 0, .offset = offset});
      } else {
        next.on_delivery(fault);
      }
      lock.lock();
      reporting_ = false;
      changed_.notify_all();
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::function<absl::Status(const bus::OutgoingRecord&)> fault_;  // all below protected by mutex_
  bool hold_ = false;
  bool stopping_ = false;
  bool reporting_ = false;
  std::size_t queue_records_max_ = 20000;
  std::size_t produced_ = 0;
  absl::Status broker_status_;
  std::deque<Pending> pending_;
  std::vector<bus::OutgoingRecord> log_;
  std::thread poll_thread_;
};

}  // namespace fakes
