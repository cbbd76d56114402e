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
// A reading ends with the last copy wanted or with the topic: what has not come by then is not there.
//
// Threading: Read on the loop, which also gets the answer. The log reader's thread hands the records over; one mutex.
// Errors:    DeadlineExceeded when it has not ended within kDeadline: the broker is away. Cancelled: another call for
//            the partition took its place, as its next owner in this process makes one.
class ParkedReader {
 public:
  using Copies = absl::StatusOr<std::vector<bus::Record>>;
  using MakeReader = std::function<absl::StatusOr<std::unique_ptr<bus::LogReader>>(bus::LogReader::OnRecord on_record,
                                                                                   bus::LogReader::OnEnd on_end)>;

  static absl::StatusOr<std::unique_ptr<ParkedReader>> Open(const bus::BusOptions& bus, app::EventLoop* loop);
  static absl::StatusOr<std::unique_ptr<ParkedReader>> OpenForTest(const bus::BusOptions& bus, app::EventLoop* loop,
                                                                   const MakeReader& make_reader);

  // As Effects::ReadParked. REQUIRES: `offsets` is not empty
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
  void OnEnd(std::int32_t partition);
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
