#pragma once

#include <functional>
#include <list>
#include <vector>

#include "absl/status/status.h"
#include "libs/base/clock.h"
#include "libs/bus/internal/kafka_handle.h"
#include "libs/bus/internal/partition_table.h"
#include "libs/telemetry/metrics.h"

namespace bus::internal {

// Sends explicit commits with metadata and tells the table which the broker has. One for the life of one client.
//
// Why not rd_kafka_commit: its synchronous form has no deadline, and its answers come on the consumer's queue, between
// records; here they come on a queue of their own, also while the group is being left. An answer ends the poll of the
// consumer's queue, so that who waits for it is told at once.
// Threading: poll thread.
class OffsetCommitter {
 public:
  OffsetCommitter(rd_kafka_t* client, PartitionTable* table, telemetry::Counter failures);
  // Commits on their way are abandoned: they may reach the broker, `done` is not called.
  ~OffsetCommitter() = default;
  OffsetCommitter(const OffsetCommitter&) = delete;
  OffsetCommitter& operator=(const OffsetCommitter&) = delete;

  using Done = std::function<void(const absl::Status&)>;

  // `done` runs in Serve or CommitAndWait, or at once when nothing could be sent. REQUIRES: commits not empty
  void Start(std::vector<PartitionTable::Commit> commits, Done done);
  absl::Status CommitAndWait(std::vector<PartitionTable::Commit> commits, base::MonotonicTime deadline);

  void Serve() { rd_kafka_queue_poll_callback(answers_.get(), 0); }
  bool on_the_way() const { return !batches_.empty(); }

 private:
  struct Batch {
    OffsetCommitter* owner = nullptr;
    std::vector<PartitionTable::Commit> commits;
    Done done;
    std::list<Batch>::iterator self;
  };
  static void OnAnswer(rd_kafka_t* client, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* offsets,
                       void* opaque);
  absl::Status NoteAnswer(const Batch& batch, rd_kafka_resp_err_t error,
                          const rd_kafka_topic_partition_list_t* offsets);

  rd_kafka_t* const client_;
  PartitionTable* const table_;
  const telemetry::Counter failures_;
  std::list<Batch> batches_;  // on their way; librdkafka holds their addresses
  QueuePtr consumer_queue_;   // on which the poll thread waits
  QueuePtr answers_;          // destroyed first, so that no answer finds its batch or that queue gone
};

}  // namespace bus::internal
