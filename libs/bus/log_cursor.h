#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/bus/options.h"
#include "libs/bus/record.h"

namespace bus {

// One partition read record by record at the caller's pace, up to its end at the time of Open; for tools that read
// several topics side by side.
//
// Threading: one thread at a time. Memory: what librdkafka fetches ahead, at most 64 MiB.
// Errors:    Unavailable when the brokers give nothing until the deadline: call again.
class LogCursor {
 public:
  // `from_ms`: the first record written at or after this time; 0: the first record kept. NotFound: no such partition.
  static absl::StatusOr<std::unique_ptr<LogCursor>> Open(const BusOptions& bus, std::string_view service,
                                                         const TopicPartition& partition, std::int64_t from_ms,
                                                         base::MonotonicTime deadline);
  virtual ~LogCursor() = default;

  // The next record, which stays next until Pop; nullptr at the end.
  virtual absl::StatusOr<const Record*> Peek(base::MonotonicTime deadline) = 0;
  virtual void Pop() = 0;  // REQUIRES: Peek gave a record

  // Offsets [first, end) are read; `next` is the one after the last record popped.
  virtual std::int64_t first() const = 0;
  virtual std::int64_t next() const = 0;
  virtual std::int64_t end() const = 0;
};

}  // namespace bus
