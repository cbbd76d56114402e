#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/bus/log_cursor.h"
#include "libs/bus/options.h"
#include "proto/bus/v1/bus.pb.h"

namespace worker {

// What was said of a turn: the first of its records in `replies`.
struct FirstReply {
  mesh::bus::v1::ReplyRecord record;
  std::int64_t offset = 0;
};

// Which turn is asked for, and where its records can stand.
struct ReplyQuery {
  std::int32_t partition = 0;
  std::string turn_id;
  std::uint32_t generation = 0;
  std::int64_t from_ms = 0;        // nothing was written of it before this time
  std::int64_t before_offset = 0;  // records from here on do not matter
};

// Asks the log what was said of a turn that is given up: by an earlier life of a worker, or of an earlier record of the
// same message.
class ReplyLog {
 public:
  using Callback = std::function<void(absl::StatusOr<std::optional<FirstReply>>)>;
  virtual ~ReplyLog() = default;
  // The first record of the turn and generation, or its withdrawal; nullopt: there is none. An error: ask again.
  // `on_found` runs on any thread.
  virtual void FindFirst(ReplyQuery query, Callback on_found) = 0;
};

// Reads the partition from the earliest time asked for, once for all queries that wait for it: they come in crowds,
// when many turns are given up together. Partitions are read in turns, a slice each, and each goes on where its last
// slice ended: a long backlog holds up neither the others nor, by beginning anew, itself.
//
// Errors:    Unavailable or DeadlineExceeded when a partition brings nothing for `quiet_max`, or is not read to its end
//            within `total_max`. Threading: a thread of its own. The destructor waits for the slice that goes on;
//            queries that wait are dropped with their callbacks.
class KafkaReplyLog final : public ReplyLog {
 public:
  struct Times {
    base::Duration slice = std::chrono::seconds(2);
    base::Duration quiet_max = std::chrono::seconds(20);
    base::Duration total_max = std::chrono::minutes(15);  // 8 days of a busy partition: about 10^8 records
  };
  using OpenCursor = std::function<absl::StatusOr<std::unique_ptr<bus::LogCursor>>(
      std::int32_t partition, std::int64_t from_ms, base::MonotonicTime deadline)>;

  explicit KafkaReplyLog(const bus::BusOptions& bus);
  KafkaReplyLog(OpenCursor open_cursor, const Times& times);  // for tests
  ~KafkaReplyLog() override;
  void FindFirst(ReplyQuery query, Callback on_found) override;

 private:
  struct Asked {
    ReplyQuery query;
    Callback on_found;
    std::optional<FirstReply> first;
  };
  struct Reading {  // of one partition
    std::int32_t partition = 0;
    std::vector<Asked> asked;
    std::unordered_multimap<std::string, std::size_t> by_turn;  // indices of `asked`
    std::int64_t before_offset = 0;                             // where it ends at the latest
    std::unique_ptr<bus::LogCursor> cursor;
    base::MonotonicTime began_at;
    base::MonotonicTime moved_at;  // a record came, or it began
  };
  void Serve();
  void TakeQueries();
  bool ReadSlice(Reading& reading, absl::Status* status) const;  // true: it has ended, so
  static void Look(const bus::Record& record, Reading& reading);

  const OpenCursor open_cursor_;
  const Times times_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Asked> asked_;      // protected by mutex_; at most one a running turn
  bool ending_ = false;          // protected by mutex_
  std::list<Reading> readings_;  // the thread's; one a partition, the next to be served first
  std::thread thread_;
};

}  // namespace worker
