#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>

#include "libs/telemetry/trace.h"
#include "services/sender/effects.h"

namespace sender {

// When a settled record of `replies` counts as done: once session has taken its outcome, so that a sender that dies
// before is followed by one that meets the record again, finds it settled in the ledger and reports it.
//
// Session may be away for long, and sends must not stop for it: the lane goes on at once, and a record is held only
// while fewer than `span_max` offsets have come behind it. What is older is marked done all the same. Its report is
// still tried for as long as this process lives; only a crash within that time loses it, and then a rebuild of the
// history brings it back. So a partition holds at most `span_max` records, and they lie close together, which keeps the
// map of finished offsets small.
//
// Threading: confined to the sender's loop. Held by its reports under way.
class UnreportedRecords : public std::enable_shared_from_this<UnreportedRecords> {
 public:
  UnreportedRecords(Effects* effects, std::size_t span_max, std::function<void(std::int64_t offset)> mark_done);

  // Reports, and marks `offset` done when that is answered or it has been held long enough.
  void Finish(const mesh::session::v1::SetOutcomeRequest& report, const telemetry::TraceContext& trace,
              std::int64_t offset);

  std::size_t held_count() const { return held_.size(); }

 private:
  void Release(std::int64_t offset);

  Effects* const effects_;
  const std::int64_t span_max_;
  const std::function<void(std::int64_t offset)> mark_done_;
  std::int64_t newest_ = -1;
  std::set<std::int64_t> held_;
};

}  // namespace sender
