#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "services/sender/partition_sender.h"

namespace sender {

struct CoreOptions {
  LaneOptions lane;
  base::Duration probe_interval = std::chrono::seconds(30);  // one try this often for an account that cannot send
  double graph_throttle_k = 2;                               // see GraphThrottle
  std::size_t sends_in_flight_max = 64;                      // claimed and not answered
  std::size_t rate_buckets_max = 100000;                     // of each kind
  std::size_t settled_detail_max = 8192;                     // settled turns a ledger partition remembers in full
};

// All state machines of one sender process, without any I/O: what Kafka, the ledger reader and time tell it comes in by
// the methods, what it does goes out by Effects and Ports. The simulator runs several of these on one made-up log.
//
// Threading: confined to one thread, the sender's loop.
class SenderCore {
 public:
  struct Ports {
    std::string instance;                                     // unique per process start
    std::function<void(std::int32_t partition)> read_ledger;  // from the beginning, and on for ever; asked once each
    std::function<void(std::int32_t partition)> on_owned;     // its records may come
    std::function<void(std::int32_t partition, std::int64_t offset)> mark_done;
  };

  SenderCore(const CoreOptions& options, Effects* effects, Ports ports, const Metrics* metrics);

  // Lanes that callbacks still hold may outlive it; `effects` and `metrics` must outlive them.
  ~SenderCore();

  // Of `replies`, over all senders. An account's rate is split among them by the partitions that each has; until this
  // is told, all of it is taken.
  void SetPartitionsTotal(std::int32_t partitions);

  // `lease` is set to revoked by whoever learns first that the partition is gone.
  void OnAssigned(std::int32_t partition, std::shared_ptr<Lease> lease);
  void OnRevoked(std::int32_t partition);
  void OnReply(bus::Record record);  // of a partition no longer here: dropped, its next owner reads it again
  // In order for each partition. A value that cannot be read is passed as an empty record, so that its offset counts.
  void OnLedgerRecord(std::int32_t partition, std::int64_t offset, const mesh::bus::v1::LedgerRecord& record);

  // Call once a second: gauges, and once an hour forgetting what the log has let go of.
  void Tick();

  void Drain();                       // nothing new is begun
  std::size_t busy_count() const;     // sends, and records about them, still in flight
  std::size_t unowned_count() const;  // partitions assigned here whose ledger isn't taken over (yet)
  std::size_t parked_accounts_count() const { return gate_.parked_count(); }
  std::size_t awaited_count() const;  // ledger records appended and not read back

 private:
  LedgerTail& TailOf(std::int32_t partition);
  void SplitRates();

  const CoreOptions options_;
  Effects* const effects_;
  const Ports ports_;
  const Metrics* const metrics_;
  RateLimiter limiter_;
  AccountGate gate_;
  GraphThrottle throttle_;
  const std::shared_ptr<SendSlots> slots_;
  std::map<std::int32_t, std::unique_ptr<LedgerTail>> tails_;  // of every partition ever assigned here
  std::map<std::int32_t, std::shared_ptr<PartitionSender>> partitions_;
  std::int32_t partitions_total_ = 0;  // 0: not known yet
  std::int64_t takeovers_ = 0;
  base::MonotonicTime hour_began_at_;
  bool draining_ = false;
};

}  // namespace sender
