#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "libs/app/event_loop.h"
#include "libs/base/clock.h"
#include "libs/bus/consumer.h"
#include "libs/bus/dead_letter.h"
#include "libs/bus/producer.h"
#include "libs/ledger/ledger_record.h"
#include "services/sender/metrics.h"

namespace sender {

// Reads `statuses` and appends what they prove as EVIDENCE to the ledger partition of the conversation, where the owner
// of that partition finds it: it ends doubts and tells the session service delivered, read or failed. Any sender may
// read any status; this one need not own the conversation.
//
// A status is done once its EVIDENCE is in the log, so none is lost in a crash; appends are retried for as long as the
// partition is held. A state of a reply that was told before (platforms repeat themselves) is dropped, as far as a
// bounded memory goes.
//
// Threading: handler methods on the poll thread, delivery reports on the producer's, retries on the loop; one mutex.
// Bound:     kInFlightMax appends; beyond that partitions are paused.
class StatusConsumer final : public bus::ConsumerHandler {
 public:
  StatusConsumer(const bus::BusOptions& bus, std::int32_t partitions, app::EventLoop* loop, bus::Producer* producer,
                 const Metrics* metrics, const base::Clock* clock);

  void SetConsumer(bus::Consumer* consumer) { consumer_ = consumer; }  // before it polls

  void OnAssigned(const bus::TopicPartition& partition, std::int64_t next_offset,
                  std::string_view committed_metadata) override;
  void OnRevoked(const bus::TopicPartition& partition, bool lost) override;
  void OnRecord(bus::Record record) override;

 private:
  static constexpr std::size_t kInFlightMax = 2000;
  static constexpr std::size_t kToldMax = 65536;

  void Append(std::shared_ptr<const bus::Record> origin, std::shared_ptr<const ledger::LedgerEntry> entry, int attempt);
  void Refuse(std::shared_ptr<const bus::Record> origin, bus::DeadLetterReason reason, int attempt);
  void Begin(const bus::Record& record);
  void Finish(const bus::Record& record);
  std::set<bus::TopicPartition> TakeResumable();  // REQUIRES: mutex_ is held

  // The same evidence again tells nothing new. Remembered once the log has it: what was only tried must be tried again.
  static std::string NameOf(const ledger::LedgerEntry& entry);
  bool WasTold(const ledger::LedgerEntry& entry) const;
  void Remember(const ledger::LedgerEntry& entry);
  bool Held(const bus::TopicPartition& partition) const;

  const bus::BusOptions bus_;
  const std::int32_t partitions_;
  app::EventLoop* const loop_;
  bus::Producer* const producer_;
  const Metrics* const metrics_;
  const base::Clock* const clock_;
  bus::Consumer* consumer_ = nullptr;

  mutable std::mutex mutex_;
  std::set<bus::TopicPartition> held_;                                // protected by mutex_
  std::set<bus::TopicPartition> paused_;                              // protected by mutex_
  std::set<std::pair<bus::TopicPartition, std::int64_t>> in_flight_;  // protected by mutex_
  absl::flat_hash_set<std::string> told_;                             // protected by mutex_
  std::deque<std::string> told_by_age_;                               // protected by mutex_
};

}  // namespace sender
