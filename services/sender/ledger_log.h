#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/app/event_loop.h"
#include "libs/bus/log_reader.h"
#include "libs/bus/options.h"
#include "libs/bus/producer.h"
#include "services/sender/effects.h"
#include "services/sender/metrics.h"

namespace sender {

// The topic `send-ledger` as the sender uses it: appends, and reads whole partitions from their beginning on, for ever.
//
// Threading: Append and Read from the loop; what is read is handed over on the loop, in order within a partition.
// Bound:     at most kInHandMax records read and not applied yet; then the reader's thread waits for the loop.
class LedgerLog {
 public:
  // What is refused (ledger_reading.h) is logged and counted, and comes as an empty record.
  using OnRecord = std::function<void(std::int32_t partition, std::int64_t offset, const mesh::bus::v1::LedgerRecord&)>;

  static absl::StatusOr<std::unique_ptr<LedgerLog>> Open(const bus::BusOptions& bus, app::EventLoop* loop,
                                                         bus::Producer* producer, const Metrics* metrics,
                                                         OnRecord on_record);
  ~LedgerLog();

  void Read(std::int32_t partition);
  void Append(std::int32_t partition, const ledger::LedgerEntry& entry, const telemetry::TraceContext& trace,
              Effects::Appended on_done);

 private:
  static constexpr std::size_t kInHandMax = 4096;

  LedgerLog(const bus::BusOptions& bus, app::EventLoop* loop, bus::Producer* producer, const Metrics* metrics,
            OnRecord on_record);
  void OnRead(bus::Record record);

  const bus::BusOptions bus_;
  app::EventLoop* const loop_;
  bus::Producer* const producer_;
  const Metrics* const metrics_;
  const OnRecord on_record_;

  std::mutex mutex_;
  std::condition_variable has_room_;
  std::size_t in_hand_ = 0;  // protected by mutex_
  bool closing_ = false;     // protected by mutex_
  std::unique_ptr<bus::LogReader> reader_;
};

// A delivery report as its offset, on the loop.
bus::DeliveryCallback OffsetOnLoop(app::EventLoop* loop, Effects::Appended on_done);

// One ledger record ready to be produced.
bus::OutgoingRecord ToOutgoing(const bus::BusOptions& bus, std::int32_t partition, const ledger::LedgerEntry& entry,
                               const telemetry::TraceContext& trace);

}  // namespace sender
