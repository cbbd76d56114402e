#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
// when many turns are given up together. Threading: a thread of its own. The destructor waits for the reading that goes
// on, at most its deadline; queries that
//            wait are dropped with their callbacks.
class KafkaReplyLog final : public ReplyLog {
 public:
  explicit KafkaReplyLog(bus::BusOptions bus);
  ~KafkaReplyLog() override;
  void FindFirst(ReplyQuery query, Callback on_found) override;

 private:
  struct Asked {
    ReplyQuery query;
    Callback on_found;
    std::optional<FirstReply> first;
  };
  void Serve();
  absl::Status Read(std::vector<Asked>& asked) const;  // of one partition

  const bus::BusOptions bus_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Asked> asked_;  // protected by mutex_; at most one a running turn
  bool ending_ = false;      // protected by mutex_
  std::thread thread_;
};

}  // namespace worker
