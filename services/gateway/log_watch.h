#pragma once

#include <chrono>
#include <mutex>
#include <optional>

#include "absl/status/status.h"
#include "libs/app/readiness.h"
#include "libs/base/clock.h"

namespace gateway {

// Whether the log takes webhooks, for readiness: by what became of the last ones, and by whether a broker answers. A
// log that refuses or is away makes the gateway degraded, since another gateway would most likely meet the same and
// Meta repeats what gets 503; only when that lasts is the gateway taken out, in case the fault is its own.
//
// Threading: any threads.
class LogWatch {
 public:
  // Longer than the others take to make up for the loss of one broker (docs/reliability.md).
  static constexpr base::Duration kGivenUpAfter = std::chrono::seconds(15);
  // A refusal says nothing about now when no webhook came after it.
  static constexpr base::Duration kRefusalCountsFor = std::chrono::seconds(10);

  explicit LogWatch(const base::Clock* clock) : clock_(clock) {}

  void NoteWebhook(const absl::Status& persisted);   // all its records, or why not
  app::Readiness Judge(const absl::Status& broker);  // `broker`: what the producer knows of it

 private:
  const base::Clock* const clock_;
  std::mutex mutex_;
  // Protected by mutex_.
  absl::Status last_;  // webhook
  base::MonotonicTime last_at_;
  std::optional<base::MonotonicTime> bad_since_;
};

}  // namespace gateway
