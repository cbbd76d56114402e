#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/app/event_loop.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/options.h"

namespace sender {

// Reads single copies out of `parked`, which nobody consumes as a group: which of them are wanted, the ledger knows.
//
// Threading: Read on the loop, which also gets the answer. The log reader's thread hands the records over; one mutex.
// Errors:    DeadlineExceeded when they have not come within kDeadline: the broker is away.
class ParkedReader {
 public:
  using Copies = absl::StatusOr<std::vector<bus::Record>>;

  static absl::StatusOr<std::unique_ptr<ParkedReader>> Open(const bus::BusOptions& bus, app::EventLoop* loop);

  // As Effects::ReadParked. REQUIRES: the answer to an earlier call for the partition has come; `offsets` is not empty
  void Read(std::int32_t partition, const std::vector<std::int64_t>& offsets, std::function<void(Copies)> on_done);

 private:
  struct Request {
    std::uint64_t number = 0;
    std::vector<std::int64_t> offsets;
    std::vector<bus::Record> found;
    std::function<void(Copies)> on_done;
  };

  ParkedReader(const bus::BusOptions& bus, app::EventLoop* loop);
  void OnRead(bus::Record record);
  void GiveUp(std::int32_t partition, std::uint64_t number);
  void Answer(std::int32_t partition, std::function<void(Copies)> on_done, Copies copies);

  const bus::BusOptions bus_;
  app::EventLoop* const loop_;

  std::mutex mutex_;
  std::map<std::int32_t, Request> requests_;  // protected by mutex_; by partition
  std::uint64_t next_number_ = 0;             // protected by mutex_

  std::unique_ptr<bus::LogReader> reader_;  // last: its thread uses the others
};

}  // namespace sender
