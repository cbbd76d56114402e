#include "services/sender/unreported_records.h"

#include <algorithm>
#include <utility>

namespace sender {

UnreportedRecords::UnreportedRecords(Effects* effects, std::size_t span_max,
                                     std::function<void(std::int64_t offset)> mark_done)
    : effects_(effects), span_max_(static_cast<std::int64_t>(span_max)), mark_done_(std::move(mark_done)) {}

void UnreportedRecords::Finish(const mesh::session::v1::SetOutcomeRequest& report, const telemetry::TraceContext& trace,
                               std::int64_t offset) {
  newest_ = std::max(newest_, offset);
  held_.insert(offset);
  effects_->ReportOutcome(report, trace, [self = shared_from_this(), offset] { self->Release(offset); });
  while (!held_.empty() && *held_.begin() + span_max_ <= newest_) Release(*held_.begin());
}

void UnreportedRecords::Release(std::int64_t offset) {
  if (held_.erase(offset) > 0) mark_done_(offset);
}

}  // namespace sender
