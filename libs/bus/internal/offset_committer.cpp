#include "libs/bus/internal/offset_committer.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/telemetry/log.h"

namespace bus::internal {
namespace {

// librdkafka frees the metadata with the list, so it gets a copy from malloc.
void SetMetadata(rd_kafka_topic_partition_t* entry, const std::string& metadata) {
  if (metadata.empty()) return;
  entry->metadata = std::malloc(metadata.size());
  CHECK(entry->metadata != nullptr);
  std::copy(metadata.begin(), metadata.end(), static_cast<char*>(entry->metadata));
  entry->metadata_size = metadata.size();
}

}  // namespace

OffsetCommitter::OffsetCommitter(rd_kafka_t* client, PartitionTable* table, telemetry::Counter failures)
    : client_(client),
      table_(table),
      failures_(failures),
      consumer_queue_(rd_kafka_queue_get_consumer(client)),
      answers_(rd_kafka_queue_new(client)) {
  rd_kafka_queue_cb_event_enable(
      answers_.get(),
      [](rd_kafka_t*, void* consumer_queue) { rd_kafka_queue_yield(static_cast<rd_kafka_queue_t*>(consumer_queue)); },
      consumer_queue_.get());
}

void OffsetCommitter::Start(std::vector<PartitionTable::Commit> commits, Done done) {
  CHECK(!commits.empty());
  const PartitionListPtr offsets = NewPartitionList(commits.size());
  for (const PartitionTable::Commit& commit : commits) {
    rd_kafka_topic_partition_t* entry =
        rd_kafka_topic_partition_list_add(offsets.get(), commit.partition.topic.c_str(), commit.partition.partition);
    entry->offset = commit.offset;
    SetMetadata(entry, commit.metadata);
  }
  batches_.push_front({.owner = this, .commits = std::move(commits), .done = std::move(done), .self = {}});
  Batch& batch = batches_.front();
  batch.self = batches_.begin();
  const rd_kafka_resp_err_t error =
      rd_kafka_commit_queue(client_, offsets.get(), answers_.get(), &OffsetCommitter::OnAnswer, &batch);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) OnAnswer(client_, error, nullptr, &batch);
}

absl::Status OffsetCommitter::CommitAndWait(std::vector<PartitionTable::Commit> commits, base::MonotonicTime deadline) {
  if (commits.empty()) return absl::OkStatus();
  // Shared, because the answer of a commit given up here may still come while the client lives.
  auto answer = std::make_shared<std::optional<absl::Status>>();
  Start(std::move(commits), [answer](const absl::Status& status) { *answer = status; });
  while (!answer->has_value()) {
    const std::int64_t left_ms = base::ToMs(deadline - base::Clock::Real().Now());
    if (left_ms <= 0) return absl::DeadlineExceededError("no answer to an offset commit");
    rd_kafka_queue_poll_callback(answers_.get(), static_cast<int>(std::min<std::int64_t>(left_ms, 100)));
  }
  return **answer;
}

void OffsetCommitter::OnAnswer(rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* offsets,
                               void* opaque) {
  auto* batch = static_cast<Batch*>(opaque);
  OffsetCommitter* owner = batch->owner;
  const absl::Status status = owner->NoteAnswer(*batch, error, offsets);
  const Done done = std::move(batch->done);
  owner->batches_.erase(batch->self);
  done(status);
}

absl::Status OffsetCommitter::NoteAnswer(const Batch& batch, rd_kafka_resp_err_t error,
                                         const rd_kafka_topic_partition_list_t* offsets) {
  absl::Status status = ToStatus(error, "commit offsets");
  for (const PartitionTable::Commit& commit : batch.commits) {
    rd_kafka_resp_err_t partition_error = error;
    if (const rd_kafka_topic_partition_t* entry =
            offsets == nullptr ? nullptr
                               : rd_kafka_topic_partition_list_find(offsets, commit.partition.topic.c_str(),
                                                                    commit.partition.partition);
        entry != nullptr && entry->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      partition_error = entry->err;
    }
    if (partition_error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      table_->NoteCommitted(commit);
    } else if (status.ok()) {
      status =
          ToStatus(partition_error, base::StrCat("commit ", commit.partition.topic, "/", commit.partition.partition));
    }
  }
  if (!status.ok()) {
    failures_.Increment();
    telemetry::LogWarning("offset_commit_failed", {{"reason", std::string(status.message())}});
  }
  return status;
}

}  // namespace bus::internal
