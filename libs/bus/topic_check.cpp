#include "libs/bus/topic_check.h"

#include <unistd.h>

#include <utility>

#include "libs/base/backoff.h"
#include "libs/bus/topics.h"
#include "libs/telemetry/log.h"

namespace bus {

TopicCheck::TopicCheck(const BusOptions& bus, const TopicCheckTimes& times, Then then)
    : TopicCheck(
          [bus, patience = times.patience, then = std::move(then)] {
            const absl::StatusOr<std::int32_t> partitions = EnsureTopics(bus, base::Clock::Real().Now() + patience);
            return partitions.ok() ? then(*partitions) : partitions.status();
          },
          times) {}

TopicCheck::TopicCheck(Check check, const TopicCheckTimes& times)
    : check_(std::move(check)),
      times_(times),
      status_(absl::UnavailableError("topics have not been checked yet")),
      thread_([this] { Run(); }) {}

TopicCheck::~TopicCheck() { Stop(); }

absl::Status TopicCheck::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void TopicCheck::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void TopicCheck::Run() {
  const auto seed = static_cast<std::uint64_t>(getpid());
  for (int attempt = 1;; ++attempt) {
    const absl::Status status = check_();
    std::unique_lock lock(mutex_);
    if (status != status_) {
      status.ok() ? telemetry::LogInfo("topics_ready")
                  : telemetry::LogWarning("topics_not_ready", {{"error", status.message()}});
    }
    status_ = status;
    if (status.ok()) return;
    wake_.wait_for(lock, base::BackoffDelay(attempt, times_.retry_initial, times_.retry_max, seed),
                   [&] { return stopping_; });
    if (stopping_) return;
  }
}

}  // namespace bus
