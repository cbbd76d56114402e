#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/bus/options.h"
#include "libs/bus/record.h"

namespace bus {

// Reads partitions outside any group: the sender's ledger, tools, rebuilds.
//
// Threading: one poll thread of its own calls `on_record` and `on_end`; Add and Remove from any thread, effective at
// the next poll:
//            after Remove a record already on its way may still come. QueryWatermarks blocks its caller.
// Errors:    reading goes on through outages; an offset that retention has passed continues at the first record kept.
//            A call must not be made from either that waits for it.
class LogReader {
 public:
  using OnRecord = std::function<void(Record)>;
  // Reading has come to the end of a partition, and goes on when records follow. `end_offset`: of the log, as it was
  // then. One of a reading that was removed or began anew may still come.
  using OnEnd = std::function<void(const TopicPartition& partition, std::int64_t end_offset)>;

  // `on_end` may be null.
  static absl::StatusOr<std::unique_ptr<LogReader>> Create(const BusOptions& bus, std::string_view service,
                                                           OnRecord on_record, OnEnd on_end = nullptr);
  virtual ~LogReader() = default;

  virtual void Add(const TopicPartition& partition,
                   std::int64_t from_offset) = 0;  // kFromBeginning for the first record kept
  virtual void Remove(const TopicPartition& partition) = 0;
  static constexpr std::int64_t kFromBeginning = -2;

  // Offsets [low, high) that the broker holds.
  struct Watermarks {
    std::int64_t low = 0;
    std::int64_t high = 0;
  };
  virtual absl::StatusOr<Watermarks> QueryWatermarks(const TopicPartition& partition, base::MonotonicTime deadline) = 0;
};

// Reads the given partitions from their first record to their end at the time of the call, and returns; for tools.
// Partitions are interleaved, each in order. `on_record` returns false to stop. NotFound: no such topic or partition.
absl::Status ReadThrough(const BusOptions& bus, std::string_view service, const std::vector<TopicPartition>& partitions,
                         const std::function<bool(const Record&)>& on_record, base::MonotonicTime deadline);

}  // namespace bus
