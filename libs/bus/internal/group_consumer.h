#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "libs/bus/consumer.h"
#include "libs/bus/internal/broker_health.h"
#include "libs/bus/internal/gap_repair.h"
#include "libs/bus/internal/join_watch.h"
#include "libs/bus/internal/kafka_handle.h"
#include "libs/bus/internal/offset_committer.h"
#include "libs/bus/internal/partition_table.h"
#include "libs/telemetry/metrics.h"

namespace bus::internal {

// Consumer over librdkafka. The poll thread does everything that touches the client; other threads change the partition
// table, ask for a commit and wake the poll thread.
//
// An assignment is taken in two steps, because the committed offsets and their metadata must be asked of the broker and
// the poll thread must go on meanwhile: the rebalance callback notes the partitions, and AssignPending assigns them
// once the answer is there.
class GroupConsumer final : public Consumer {
 public:
  GroupConsumer(const BusOptions& bus, const ConsumerOptions& options, ConsumerHandler* handler,
                std::string_view service, telemetry::Registry& metrics);
  ~GroupConsumer() override;

  absl::Status Open();  // makes the client; the settings' errors

  void Start() override;
  void MarkDone(const TopicPartition& partition, std::int64_t offset) override;
  void Note(const TopicPartition& partition, std::int64_t offset, std::uint32_t note,
            std::function<void(bool)> on_durable) override;
  void Pause(const TopicPartition& partition) override;
  void Resume(const TopicPartition& partition) override;
  absl::Status CommitNow(base::MonotonicTime deadline) override;
  using Consumer::Stop;
  void Stop(base::MonotonicTime deadline) override;
  std::vector<TopicPartition> assignment() const override { return table_.Owned(); }
  bool polling() const override;
  absl::Status broker_status() const override { return health_.status(); }

 private:
  void RunPollThread();
  void Turn();  // one round of the poll thread
  void Subscribe();
  void ApplyPauses();
  void ServeCommits();
  void ServeNotes();
  void FinishCommitRequest(std::uint64_t request, const absl::Status& status);

  // Rebalances: group_rebalance.cpp.
  static void OnRebalance(rd_kafka_t* client, rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t* partitions,
                          void* opaque);
  void TakePending(const rd_kafka_topic_partition_list_t& partitions);
  void TakeNothing();
  void AssignPending();
  void AssignWith(const rd_kafka_topic_partition_list_t& committed);
  void GiveUp(const rd_kafka_topic_partition_list_t& partitions);
  void RevokeOwned(const std::vector<TopicPartition>& partitions, bool lost);
  void ChangeAssignment(bool add, const rd_kafka_topic_partition_list_t& partitions);
  void Leave();
  void FinishFirstJoin(base::MonotonicTime deadline);
  void DropClient();
  void LeaveBehind(std::string_view reason);
  void Reopen();

  // Records: consumer.cpp.
  void Handle(const rd_kafka_message_t& message);
  void HandleError(const rd_kafka_message_t& message);
  void HandOver(const rd_kafka_message_t& message, const TopicPartition& partition, std::uint32_t note);
  void RestartLog(const TopicPartition& partition, std::int64_t offset);
  std::vector<absl::Status> Seek(const std::vector<PartitionTable::Gap>& gaps);
  static void OnError(rd_kafka_t* client, int error, const char* reason, void* opaque);

  void Wake();

  const BusOptions bus_;
  const ConsumerOptions options_;
  ConsumerHandler* const handler_;
  const std::string service_;

  // Metrics.
  std::map<std::string, telemetry::Counter, std::less<>> consumed_;  // by topic; constant after construction
  telemetry::Gauge assigned_partitions_;
  telemetry::Counter rebalances_;
  telemetry::Counter commit_failures_;
  telemetry::Gauge paused_partitions_;

  PartitionTable table_;
  GapRepair gap_repair_{&table_, [this](const std::vector<PartitionTable::Gap>& gaps) { return Seek(gaps); }};
  BrokerHealth health_;
  std::unique_ptr<JoinWatch> join_watch_ = std::make_unique<JoinWatch>();  // never null

  // Poll thread; also Open and Start, before it runs. `committer_` goes before `client_`.
  ClientPtr client_;
  std::unique_ptr<OffsetCommitter> committer_;
  PartitionListPtr pending_;  // given to this member and not assigned yet; null when there are none
  base::MonotonicTime ask_committed_at_;
  base::MonotonicTime next_commit_;
  base::MonotonicTime next_reopen_;
  int reopen_attempt_ = 0;
  bool leaving_ = false;
  base::MonotonicTime leave_by_ = base::MonotonicTime::max();         // once leaving
  bool assigned_once_ = false;                                        // this client; also with no partitions
  std::map<rd_kafka_resp_err_t, base::MonotonicTime> errors_logged_;  // when last, so that a log is not flooded

  std::atomic<bool> pauses_changed_{false};
  std::atomic<std::int64_t> last_turn_ms_{0};  // monotonic clock; 0: never
  std::atomic<base::MonotonicTime> stop_by_{base::MonotonicTime::max()};
  std::atomic<bool> stopping_{false};

  std::mutex wake_mutex_;
  QueuePtr wake_queue_;  // protected by wake_mutex_; the queue on which the poll thread waits

  std::mutex commit_mutex_;
  std::condition_variable commit_answered_;
  std::uint64_t commits_requested_ = 0;  // protected by commit_mutex_
  std::uint64_t commits_answered_ = 0;   // protected by commit_mutex_
  absl::Status commit_answer_;           // protected by commit_mutex_; of the last request answered
  bool ended_ = true;                    // protected by commit_mutex_; the poll thread does not run

  struct NoteWaiter {
    PartitionTable::NoteTicket ticket;
    std::function<void(bool)> on_durable;
  };
  std::mutex notes_mutex_;
  std::vector<NoteWaiter> notes_waiting_;      // protected by notes_mutex_
  std::atomic<bool> notes_on_the_way_{false};  // some wait for a commit
  base::MonotonicTime next_notes_commit_;      // poll thread

  std::thread poll_thread_;
};

}  // namespace bus::internal
