#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "libs/base/clock.h"
#include "libs/bus/internal/partition_table.h"

namespace bus::internal {

// Fetches again from where offsets of a partition were not seen, and repeats it until fetching has really gone back:
// a seek can fail while a broker is away, and a record that passed then would count what was dropped as finished.
// Until then the partition stands still, which is the table's doing (PartitionTable::OpenGaps).
//
// Threading: poll thread. `seek` may block it for its timeout, once for all partitions.
class GapRepair {
 public:
  // Makes fetching of each gap's partition go on from its offset; one result a gap, in their order.
  using Seek = std::function<std::vector<absl::Status>(const std::vector<PartitionTable::Gap>&)>;

  static constexpr base::Duration kRetryDelay = std::chrono::milliseconds(500);

  GapRepair(PartitionTable* table, Seek seek);  // the table must outlive it

  void Try(base::MonotonicTime now);    // at once: a gap was found
  void Serve(base::MonotonicTime now);  // each turn of the poll thread: repeats what failed, kRetryDelay after

 private:
  PartitionTable* const table_;
  const Seek seek_;
  bool failed_ = false;
  base::MonotonicTime retry_at_;  // when failed_
};

}  // namespace bus::internal
