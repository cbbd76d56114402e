// How a member takes partitions, gives them up and leaves its group.
#include <algorithm>
#include <chrono>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "libs/base/check.h"
#include "libs/bus/internal/group_consumer.h"
#include "libs/telemetry/log.h"

namespace bus::internal {
namespace {

// Asking for committed offsets blocks the poll thread, so each try is short and the group is served between tries.
constexpr int kCommittedTimeoutMs = 300;
constexpr auto kCommittedRetryDelay = std::chrono::milliseconds(200);
// A last commit may hold up the rebalance of the whole group, so it does not wait for a broker that is away.
constexpr auto kLastCommitTime = std::chrono::seconds(2);
// A client that has left its group ends within moments. One that has not may never end.
constexpr auto kEndTime = std::chrono::seconds(3);
constexpr auto kEndTimeMin = std::chrono::milliseconds(200);  // also when the time to stop in is over

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

std::vector<TopicPartition> ToVector(const rd_kafka_topic_partition_list_t& list) {
  std::vector<TopicPartition> partitions;
  for (int i = 0; i < list.cnt; ++i) partitions.push_back({list.elems[i].topic, list.elems[i].partition});
  return partitions;
}

}  // namespace

void GroupConsumer::OnRebalance(rd_kafka_t* client, rd_kafka_resp_err_t event,
                                rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  auto* self = static_cast<GroupConsumer*>(opaque);
  self->rebalances_.Increment();
  if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) self->assigned_once_ = true;
  if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !self->leaving_) {
    self->TakePending(*partitions);
    self->Wake();  // makes the poll return, so that AssignPending comes at once
    return;
  }
  if (event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    self->TakeNothing();
    return;
  }
  if (event == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    self->GiveUp(*partitions);
    return;
  }
  // An error of the group: own nothing.
  self->RevokeOwned(self->table_.Owned(), /*lost=*/true);
  self->pending_.reset();
  rd_kafka_assign(client, nullptr);
}

void GroupConsumer::TakePending(const rd_kafka_topic_partition_list_t& partitions) {
  if (pending_ == nullptr) pending_ = NewPartitionList(static_cast<std::size_t>(partitions.cnt));
  for (int i = 0; i < partitions.cnt; ++i) {
    rd_kafka_topic_partition_list_add(pending_.get(), partitions.elems[i].topic, partitions.elems[i].partition);
  }
  ask_committed_at_ = Now();
}

// While leaving. An assignment must be answered before the group is left: librdkafka 2.0.2 (its issue 4528) waits
// forever for the answer to one without partitions, which comes while others have not yet given theirs up.
void GroupConsumer::TakeNothing() {
  pending_.reset();
  ChangeAssignment(/*add=*/true, *NewPartitionList(0));
}

void GroupConsumer::AssignPending() {
  if (pending_ == nullptr || Now() < ask_committed_at_) return;
  const PartitionListPtr committed(rd_kafka_topic_partition_list_copy(pending_.get()));
  if (committed->cnt > 0) {
    rd_kafka_resp_err_t error = rd_kafka_committed(client_.get(), committed.get(), kCommittedTimeoutMs);
    for (int i = 0; i < committed->cnt && error == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) error = committed->elems[i].err;
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      telemetry::LogWarning("committed_offsets_not_read", {{"error", rd_kafka_err2name(error)}});
      ask_committed_at_ = Now() + kCommittedRetryDelay;
      return;
    }
  }
  pending_.reset();
  AssignWith(*committed);
}

void GroupConsumer::AssignWith(const rd_kafka_topic_partition_list_t& committed) {
  const PartitionListPtr starts = NewPartitionList(static_cast<std::size_t>(committed.cnt));
  for (int i = 0; i < committed.cnt; ++i) {
    const rd_kafka_topic_partition_t& entry = committed.elems[i];
    const TopicPartition partition{entry.topic, entry.partition};
    const bool has_commit = entry.offset >= 0;
    const std::string_view metadata(static_cast<const char*>(entry.metadata), entry.metadata_size);
    if (!table_.Assign(partition, has_commit ? entry.offset : -1, metadata)) {
      // Safe, only slower: what the map named is worked on again and found done by its ids.
      telemetry::LogWarning("commit_metadata_ignored", {{"topic", partition.topic},
                                                        {"partition", partition.partition},
                                                        {"offset", entry.offset},
                                                        {"metadata_bytes", metadata.size()}});
    }
    rd_kafka_topic_partition_list_add(starts.get(), entry.topic, entry.partition)->offset =
        has_commit ? entry.offset : RD_KAFKA_OFFSET_BEGINNING;
    handler_->OnAssigned(partition, has_commit ? entry.offset : 0, metadata);
  }
  ChangeAssignment(/*add=*/true, *starts);
  assigned_partitions_.Set(static_cast<double>(table_.Owned().size()));
}

void GroupConsumer::GiveUp(const rd_kafka_topic_partition_list_t& partitions) {
  const bool lost = rd_kafka_assignment_lost(client_.get()) != 0;
  std::vector<TopicPartition> owned;
  const PartitionListPtr assigned = NewPartitionList(static_cast<std::size_t>(partitions.cnt));
  for (const TopicPartition& partition : ToVector(partitions)) {
    if (pending_ != nullptr) {
      rd_kafka_topic_partition_list_del(pending_.get(), partition.topic.c_str(), partition.partition);
    }
    // The library refuses a list with a partition that was given but never assigned.
    if (!table_.IsOwned(partition)) continue;
    owned.push_back(partition);
    rd_kafka_topic_partition_list_add(assigned.get(), partition.topic.c_str(), partition.partition);
  }
  if (pending_ != nullptr && pending_->cnt == 0) pending_.reset();
  RevokeOwned(owned, lost);
  ChangeAssignment(/*add=*/false, *assigned);
}

void GroupConsumer::RevokeOwned(const std::vector<TopicPartition>& partitions, bool lost) {
  if (partitions.empty()) return;
  for (const TopicPartition& partition : partitions) handler_->OnRevoked(partition, lost);
  if (!lost) {
    const absl::Status status =
        committer_->CommitAndWait(table_.UncommittedOf(partitions), std::min(Now() + kLastCommitTime, leave_by_));
    if (!status.ok()) {
      telemetry::LogWarning("last_commit_failed", {{"reason", std::string(status.message())}});
    }
  }
  const PartitionListPtr paused = NewPartitionList(partitions.size());
  for (const TopicPartition& partition : partitions) {
    if (table_.IsPaused(partition)) {
      rd_kafka_topic_partition_list_add(paused.get(), partition.topic.c_str(), partition.partition);
    }
    table_.Revoke(partition);
  }
  // The library keeps the pause with the partition, also for when it comes back.
  if (paused->cnt > 0) rd_kafka_resume_partitions(client_.get(), paused.get());
  assigned_partitions_.Set(static_cast<double>(table_.Owned().size()));
  paused_partitions_.Set(static_cast<double>(table_.paused_count()));
}

void GroupConsumer::ChangeAssignment(bool add, const rd_kafka_topic_partition_list_t& partitions) {
  const bool incremental = std::string_view(rd_kafka_rebalance_protocol(client_.get())) == "COOPERATIVE";
  ErrorPtr error;
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  if (incremental) {
    error.reset(add ? rd_kafka_incremental_assign(client_.get(), &partitions)
                    : rd_kafka_incremental_unassign(client_.get(), &partitions));
    if (error != nullptr) code = rd_kafka_error_code(error.get());
  } else {
    code = rd_kafka_assign(client_.get(), add ? &partitions : nullptr);
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    telemetry::LogError("kafka_assignment_refused",
                        {{"error", rd_kafka_err2name(code)}, {"add", add}, {"partitions", partitions.cnt}});
  }
}

void GroupConsumer::Leave() {
  leaving_ = true;
  if (client_ == nullptr) return;
  leave_by_ = std::min(Now() + options_.leave_time, stop_by_.load());
  FinishFirstJoin(leave_by_);
  if (join_watch_->answered() && !assigned_once_) return;  // see DropClient
  if (pending_ != nullptr) TakeNothing();
  // Closing a member that owns nothing does not tell the group in 2.0.2, which then stands still for the session
  // timeout at its next rebalance. A static member is to be missed for so long.
  if (table_.Owned().empty() && options_.static_member_id.empty()) rd_kafka_unsubscribe(client_.get());
  // The last commit is made by the revocation that closing brings, while this is still a member.
  const QueuePtr events(rd_kafka_queue_new(client_.get()));
  const ErrorPtr error(rd_kafka_consumer_close_queue(client_.get(), events.get()));
  while (error == nullptr && rd_kafka_consumer_closed(client_.get()) == 0 && Now() < leave_by_) {
    const EventPtr event(rd_kafka_queue_poll(events.get(), /*timeout_ms=*/20));
    if (event == nullptr || rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_REBALANCE) continue;
    // On a queue of one's own rebalances are events. Records that were fetched come so too; nobody has begun them.
    OnRebalance(client_.get(), rd_kafka_event_error(event.get()), rd_kafka_event_topic_partition_list(event.get()),
                this);
  }
  if (rd_kafka_consumer_closed(client_.get()) == 0) {
    telemetry::LogWarning("consumer_group_not_left", {{"reason", "the broker did not answer in time"}});
    RevokeOwned(table_.Owned(), /*lost=*/true);
  }
}

// librdkafka 2.0.2 aborts the process when a client ends between its first JoinGroup and its first assignment
// (assertion assignor_state in rd_kafka_sticky_assignor_state_destroy). So a member that stops while it joins joins
// first.
void GroupConsumer::FinishFirstJoin(base::MonotonicTime deadline) {
  while (join_watch_->sent() && !assigned_once_ && Now() < deadline) {
    const MessagePtr none(rd_kafka_consumer_poll(client_.get(), /*timeout_ms=*/20));
  }
}

void GroupConsumer::DropClient() {
  health_.Unwatch();
  {
    std::lock_guard lock(wake_mutex_);
    wake_queue_.reset();
  }
  committer_.reset();
  pending_.reset();
  if (client_ == nullptr) return;
  if (join_watch_->answered() && !assigned_once_) {
    LeaveBehind("its first join is not complete, and ending it now would abort the process");
    static_cast<void>(client_.release());
    return;
  }
  // On a thread of its own, for it may never return: librdkafka waits for what only an open consumer would answer, and
  // 2.0.2 throws a call away, unanswered, that comes in the moment in which the group is given up at last.
  std::promise<void> ended;
  const std::future<void> end = ended.get_future();
  const bool not_left = leaving_ && rd_kafka_consumer_closed(client_.get()) == 0;
  std::thread ender([client = std::move(client_), not_left, ended = std::move(ended)]() mutable {
    if (not_left) rd_kafka_assign(client.get(), nullptr);  // the end would wait for this call while it holds partitions
    client.reset();
    ended.set_value();
  });
  const base::MonotonicTime now = Now();
  if (end.wait_until(std::min(now + kEndTime, std::max(now + kEndTimeMin, stop_by_.load()))) ==
      std::future_status::ready) {
    ender.join();
    return;
  }
  LeaveBehind("it does not end");
  ender.detach();
}

// A client that cannot be ended goes on, and so does what its threads call. It has no partitions and nothing polls it,
// and its session ends with the process at the latest.
void GroupConsumer::LeaveBehind(std::string_view reason) {
  telemetry::LogWarning("kafka_client_left_behind", {{"group", options_.group}, {"reason", reason}});
  static_cast<void>(join_watch_.release());
  join_watch_ = std::make_unique<JoinWatch>();
}

void GroupConsumer::Reopen() {
  if (const absl::Status status = Open(); !status.ok()) {
    telemetry::LogError("kafka_consumer_not_replaced", {{"reason", std::string(status.message())}});
    next_reopen_ = Now() + std::chrono::seconds(1);
    return;
  }
  Subscribe();
}

}  // namespace bus::internal
