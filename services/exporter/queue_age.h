#pragma once

#include <cstdint>
#include <deque>
#include <map>

#include "libs/base/clock.h"

namespace exporter {

// How long the oldest unread record of a group has waited, from offsets alone: no record is read. Each look remembers
// where a partition ended; the record at the group's position was written between two looks, and the earlier one is
// taken. So the age is at most one interval too high, and a wait that began before the first look counts from there.
//
// Threading: none.
// Bound:     kLooksMax looks a partition; of a longer wait the age stops being exact and keeps growing from the oldest
// look.
class QueueAge {
 public:
  static constexpr std::size_t kLooksMax = 1024;

  // One look at a partition. REQUIRES: `now` does not run backwards.
  void Look(std::int32_t partition, base::MonotonicTime now, std::int64_t position, std::int64_t end);

  // Zero when nothing waits.
  base::Duration Oldest(base::MonotonicTime now) const;

 private:
  struct Sample {
    base::MonotonicTime at;
    std::int64_t end;
  };
  struct Partition {
    std::deque<Sample> looks;  // the front is the last look at which nothing beyond the position had been written
    std::int64_t position = 0;
  };
  std::map<std::int32_t, Partition> partitions_;
};

}  // namespace exporter
