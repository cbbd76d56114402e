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
#include "libs/telemetry/metrics.h"

namespace bus {

struct ConsumerOptions {
  std::string group;                // without prefix; the topic prefix is put before it
  std::vector<std::string> topics;  // full names
  std::string static_member_id;     // group.instance.id; empty: dynamic membership
  base::Duration session_timeout = std::chrono::seconds(10);
  base::Duration max_poll_interval = std::chrono::minutes(5);
  base::Duration leave_time = std::chrono::seconds(5);  // what a member that stops gives the broker to let it go
  // Each commit is a write to the broker's own log. What a crash leaves uncommitted is read again and found to be done.
  base::Duration commit_interval = std::chrono::seconds(1);
  // The broker answers a fetch when it has so many bytes, or after fetch_wait_max. Where a record need not be seen at
  // once, a larger minimum saves the broker a request a record.
  std::int32_t fetch_bytes_min = 1;
  base::Duration fetch_wait_max = std::chrono::milliseconds(500);
};

// Decides what becomes of records. All methods are called on the consumer's poll thread and MUST NOT block: hand over
// and return; when there is no room, call Consumer::Pause for the partition and keep what came (bounded by the fetch in
// flight).
class ConsumerHandler {
 public:
  virtual ~ConsumerHandler() = default;

  // `committed_metadata` is what the last owner left with its commit (OffsetTracker), `next_offset` where
  // reading starts.
  virtual void OnAssigned(const TopicPartition& partition, std::int64_t next_offset,
                          std::string_view committed_metadata) = 0;

  // The partition goes to another member. What has been marked done until this returns is still committed. Work in
  // flight may finish, but its MarkDone is ignored from then on. `lost`: it is already somebody else's; nothing can be
  // committed.
  virtual void OnRevoked(const TopicPartition& partition, bool lost) = 0;

  virtual void OnRecord(Record record) = 0;
};

// One member of a consumer group, with manual commits through offset trackers. Uses the KIP-848 protocol when the
// library has it, else cooperative-sticky.
//
// Delivery is at least once: after a crash or a revoke, records not marked done are read again, also ones beyond the
// committed offset unless the finished map in the commit metadata names them.
// Threading: one poll thread; MarkDone, Note, Pause, Resume, CommitNow, status from any thread. The first four never
//            block and may be called by the handler itself.
// Lifetime:  Stop() (or the destructor) leaves the group after a last commit; no handler call happens afterwards. It
//            waits for the broker for leave_time at most, the destructor for a few seconds more.
// Metrics:   <service>_bus_consumed_total{topic}, _bus_assigned_partitions, _bus_rebalances_total,
//            _bus_commit_failures_total, _bus_paused_partitions.
class Consumer {
 public:
  static absl::StatusOr<std::unique_ptr<Consumer>> Create(const BusOptions& bus, const ConsumerOptions& options,
                                                          ConsumerHandler* handler, std::string_view service,
                                                          telemetry::Registry& metrics);
  virtual ~Consumer() = default;

  // Joins the group and starts the poll thread; no handler call happens before. Separate from Create so that a handler
  // can be given its consumer first. Call once.
  virtual void Start() = 0;

  // The record's effect is durable: it need not be read again. Ignored for partitions no longer owned.
  virtual void MarkDone(const TopicPartition& partition, std::int64_t offset) = 0;

  // Notes a small number of a record in flight, in the group's own memory: it goes into the partition's next commit,
  // which is made at once, and whoever reads the record after a crash or a move finds it in Record::note. Done, the
  // record has none. `on_durable(true)`: the broker has it, or something newer of the same record; (false): it does
  // not, for the partition is not owned (any more), or 128 other records of it have notes. Called once, on the poll
  // thread or at once on the caller's; not at all when the consumer is stopped before. While the group rebalances
  // nothing is committed, so notes wait. May be empty. Never blocks. REQUIRES: note < 2^14; 0: none any more
  virtual void Note(const TopicPartition& partition, std::int64_t offset, std::uint32_t note,
                    std::function<void(bool)> on_durable) = 0;

  // Stops and starts fetching of one partition; takes effect at the next poll: called in OnRecord, no further record of
  // the partition follows. Idempotent; forgotten when the partition is revoked. After Resume records may take
  // fetch_wait_max to come, while nothing new arrives in the other partitions.
  virtual void Pause(const TopicPartition& partition) = 0;
  virtual void Resume(const TopicPartition& partition) = 0;

  // Commits everything marked done now; waits until the broker has it. Not from the handler, whose thread does the
  // work. DeadlineExceeded also while a rebalance lasts; FailedPrecondition when the consumer does not run.
  virtual absl::Status CommitNow(base::MonotonicTime deadline) = 0;

  // With a deadline it waits for the broker until then, and so does the destructor after it; two seconds may always go.
  virtual void Stop(base::MonotonicTime deadline) = 0;
  void Stop() { Stop(base::MonotonicTime::max()); }

  virtual std::vector<TopicPartition> assignment() const = 0;
  virtual bool polling() const = 0;                // the poll thread turned within the last 10 s
  virtual absl::Status broker_status() const = 0;  // as Producer::broker_status
};

}  // namespace bus
