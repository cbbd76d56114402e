#include "libs/bus/log_reader.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/bus/internal/log_client.h"
#include "libs/telemetry/log.h"

namespace bus {
namespace {

using internal::ClientPtr;
using internal::MessagePtr;

constexpr int kPollTimeoutMs = 50;
constexpr auto kSameErrorInterval = std::chrono::seconds(10);

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

class KafkaLogReader final : public LogReader {
 public:
  KafkaLogReader(OnRecord on_record, OnEnd on_end) : on_record_(std::move(on_record)), on_end_(std::move(on_end)) {}
  ~KafkaLogReader() override;

  absl::Status Start(const BusOptions& bus, std::string_view service);

  void Add(const TopicPartition& partition, std::int64_t from_offset) override;
  void Remove(const TopicPartition& partition) override;
  absl::StatusOr<Watermarks> QueryWatermarks(const TopicPartition& partition, base::MonotonicTime deadline) override {
    return internal::QueryWatermarks(client_.get(), partition, deadline);
  }

 private:
  struct Change {
    bool add = false;
    TopicPartition partition;
    std::int64_t from_offset = 0;
  };
  void Ask(Change change);
  void Run();
  void Apply(const Change& change);
  void Handle(const rd_kafka_message_t& message);

  const OnRecord on_record_;
  const OnEnd on_end_;
  ClientPtr client_;
  internal::QueuePtr wake_queue_;  // destroyed before the client

  std::mutex mutex_;
  std::deque<Change> changes_;  // protected by mutex_; at most one a call of Add or Remove between two polls

  // Poll thread. One past the last offset handed over, or where reading starts; of the partitions being read.
  std::map<TopicPartition, std::int64_t> next_offsets_;
  std::map<rd_kafka_resp_err_t, base::MonotonicTime> errors_logged_;

  std::atomic<bool> stopping_{false};
  std::thread poll_thread_;
};

absl::Status KafkaLogReader::Start(const BusOptions& bus, std::string_view service) {
  absl::StatusOr<ClientPtr> client = internal::OpenLogClient(bus, service, this);
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  wake_queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
  poll_thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

KafkaLogReader::~KafkaLogReader() {
  stopping_ = true;
  if (poll_thread_.joinable()) {
    rd_kafka_queue_yield(wake_queue_.get());
    poll_thread_.join();
  }
}

void KafkaLogReader::Add(const TopicPartition& partition, std::int64_t from_offset) {
  Ask({.add = true, .partition = partition, .from_offset = from_offset});
}

void KafkaLogReader::Remove(const TopicPartition& partition) {
  Ask({.add = false, .partition = partition, .from_offset = 0});
}

void KafkaLogReader::Ask(Change change) {
  {
    std::lock_guard lock(mutex_);
    changes_.push_back(std::move(change));
  }
  rd_kafka_queue_yield(wake_queue_.get());
}

void KafkaLogReader::Run() {
  while (!stopping_) {
    std::deque<Change> changes;
    {
      std::lock_guard lock(mutex_);
      changes.swap(changes_);
    }
    for (const Change& change : changes) Apply(change);
    const MessagePtr message(rd_kafka_consumer_poll(client_.get(), kPollTimeoutMs));
    if (message != nullptr) Handle(*message);
  }
}

void KafkaLogReader::Apply(const Change& change) {
  // Adding again starts anew from the offset named.
  if (next_offsets_.erase(change.partition) > 0) {
    const internal::ErrorPtr error(
        rd_kafka_incremental_unassign(client_.get(), internal::ListOf(change.partition, 0).get()));
    if (error != nullptr) telemetry::LogError("log_reader_remove", {{"reason", rd_kafka_error_string(error.get())}});
  }
  if (!change.add) return;
  if (absl::Status status = internal::AssignFrom(client_.get(), change.partition, change.from_offset); !status.ok()) {
    telemetry::LogError("log_reader_add", {{"reason", std::string(status.message())}});
    return;
  }
  next_offsets_[change.partition] = std::max<std::int64_t>(change.from_offset, 0);
}

void KafkaLogReader::Handle(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    // Also before the offset asked for: the topic was made anew and is shorter than it was.
    const TopicPartition partition{rd_kafka_topic_name(message.rkt), message.partition};
    if (on_end_ != nullptr && next_offsets_.contains(partition)) on_end_(partition, message.offset);
    return;
  }
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    base::MonotonicTime& last = errors_logged_[message.err];
    if (last != base::MonotonicTime() && Now() - last < kSameErrorInterval) return;
    last = Now();
    telemetry::LogWarning("log_reader_error",
                          {{"error", rd_kafka_err2name(message.err)}, {"reason", rd_kafka_message_errstr(&message)}});
    return;
  }
  const auto next = next_offsets_.find({rd_kafka_topic_name(message.rkt), message.partition});
  if (next == next_offsets_.end() || message.offset < next->second) return;  // fetched before a change took effect
  next->second = message.offset + 1;
  on_record_(internal::ToRecord(message));
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogReader>> LogReader::Create(const BusOptions& bus, std::string_view service,
                                                             OnRecord on_record, OnEnd on_end) {
  auto reader = std::make_unique<KafkaLogReader>(std::move(on_record), std::move(on_end));
  if (absl::Status status = reader->Start(bus, service); !status.ok()) return status;
  return reader;
}

absl::Status ReadThrough(const BusOptions& bus, std::string_view service, const std::vector<TopicPartition>& partitions,
                         const std::function<bool(const Record&)>& on_record, base::MonotonicTime deadline) {
  absl::StatusOr<ClientPtr> client = internal::OpenLogClient(bus, service, nullptr);
  if (!client.ok()) return client.status();
  std::map<TopicPartition, std::int64_t> ends;  // of what is still to be read
  for (const TopicPartition& partition : partitions) {
    const absl::StatusOr<LogReader::Watermarks> marks = internal::QueryWatermarks(client->get(), partition, deadline);
    if (!marks.ok()) return marks.status();
    if (marks->low < marks->high) ends[partition] = marks->high;
  }
  for (const auto& [partition, end] : ends) {
    absl::Status status = internal::AssignFrom(client->get(), partition, LogReader::kFromBeginning);
    if (!status.ok()) return status;
  }
  absl::Status status;
  while (!ends.empty()) {
    if (Now() >= deadline) {
      status = absl::DeadlineExceededError(base::StrCat(ends.size(), " partitions are not read to their end"));
      break;
    }
    const MessagePtr message(rd_kafka_consumer_poll(client->get(), internal::TimeoutMs(deadline, kPollTimeoutMs)));
    if (message == nullptr || message->rkt == nullptr) continue;
    const bool at_end = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR && !at_end) continue;  // the library retries until the deadline
    const auto end = ends.find({rd_kafka_topic_name(message->rkt), message->partition});
    if (end == ends.end()) continue;
    // The end of the log comes without a record when its last offsets were compacted away.
    const bool within = message->offset < end->second;
    const bool last = at_end || message->offset + 1 >= end->second;
    if (!at_end && within && !on_record(internal::ToRecord(*message))) break;
    if (last) ends.erase(end);
  }
  return status;
}

}  // namespace bus
