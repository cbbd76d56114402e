#include "services/gateway/log_watch.h"

#include <string>

#include "libs/base/str_cat.h"

namespace gateway {

void LogWatch::NoteWebhook(const absl::Status& persisted) {
  if (absl::IsInvalidArgument(persisted)) return;  // about the records, not the log
  const base::MonotonicTime now = clock_->Now();
  std::lock_guard lock(mutex_);
  last_ = persisted;
  last_at_ = now;
  if (persisted.ok()) {
    bad_since_.reset();
  } else if (!bad_since_) {
    bad_since_ = now;
  }
}

app::Readiness LogWatch::Judge(const absl::Status& broker) {
  const base::MonotonicTime now = clock_->Now();
  std::lock_guard lock(mutex_);
  const bool refused = !last_.ok() && now - last_at_ < kRefusalCountsFor;
  if (broker.ok() && !refused) {
    bad_since_.reset();
    return app::Readiness::Ready();
  }
  if (!bad_since_) bad_since_ = now;
  const std::string reason(broker.ok() ? last_.message() : broker.message());
  if (now - *bad_since_ < kGivenUpAfter) return app::Readiness::Degraded(reason);
  return app::Readiness::NotReady(
      base::StrCat("nothing was persisted for ", base::ToMs(kGivenUpAfter) / 1000, " s: ", reason));
}

}  // namespace gateway
