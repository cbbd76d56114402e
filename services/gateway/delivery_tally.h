#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>

#include "absl/status/status.h"

namespace gateway {

// Counts the delivery reports of one webhook's records down; the last one calls `on_settled` once, with the first
// failure if there was any. Threading: Report from any threads. REQUIRES: exactly `records` reports, records > 0.
class DeliveryTally {
 public:
  DeliveryTally(std::size_t records, std::function<void(const absl::Status&)> on_settled)
      : open_(records), on_settled_(std::move(on_settled)) {}

  void Report(const absl::Status& status) {
    if (!status.ok()) {
      std::lock_guard lock(mutex_);
      failure_.Update(status);
    }
    if (open_.fetch_sub(1) == 1) on_settled_(failure_);  // the last: nobody writes failure_ any more
  }

 private:
  std::atomic<std::size_t> open_;
  const std::function<void(const absl::Status&)> on_settled_;
  std::mutex mutex_;
  absl::Status failure_;  // protected by mutex_ while reports are open
};

}  // namespace gateway
