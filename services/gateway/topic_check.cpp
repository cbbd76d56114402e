#include "services/gateway/topic_check.h"

#include <unistd.h>

#include <utility>

#include "libs/base/backoff.h"
#include "libs/telemetry/log.h"

namespace gateway {

TopicCheck::TopicCheck(Check check, base::Duration retry_initial, base::Duration retry_max)
    : check_(std::move(check)),
      retry_initial_(retry_initial),
      retry_max_(retry_max),
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
    // The first failure and each change of it are told; the same one again and again is not.
    if (status != status_) {
      status.ok() ? telemetry::LogInfo("topics_ready")
                  : telemetry::LogWarning("topics_not_ready", {{"error", status.message()}});
    }
    status_ = status;
    if (status.ok()) return;
    wake_.wait_for(lock, base::BackoffDelay(attempt, retry_initial_, retry_max_, seed), [&] { return stopping_; });
    if (stopping_) return;
  }
}

}  // namespace gateway
