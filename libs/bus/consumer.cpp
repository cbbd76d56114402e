#include "libs/bus/consumer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/bus/internal/client_config.h"
#include "libs/bus/internal/group_consumer.h"
#include "libs/bus/internal/topic_label.h"
#include "libs/telemetry/log.h"

namespace bus {
namespace internal {
namespace {

constexpr int kPollTimeoutMs = 50;
constexpr auto kPollingMeans = std::chrono::seconds(10);
constexpr int kSeekTimeoutMs = 1000;
constexpr auto kCommitRetryDelay = std::chrono::milliseconds(50);
constexpr auto kSameErrorInterval = std::chrono::seconds(10);
constexpr std::int64_t kFetchQueueKbytes = 16 * 1024;  // of one consumer, beyond what its handler holds
// A member hears of a rebalance by its heartbeat, and the whole group waits for the last to hear; one that has lost its
// coordinator needs a heartbeat to the next within the session timeout. A request costs the broker next to nothing.
constexpr std::int64_t kHeartbeatMsMax = 500;
constexpr int kKip848Version = 0x020c0000;  // 2.12.0, the first whose `consumer` protocol is complete

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

void SetGroupProtocol(const ConsumerOptions& options, ClientConfig* config) {
  if (!options.static_member_id.empty()) config->Set("group.instance.id", options.static_member_id);
  // With KIP-848 the broker decides on sessions, heartbeats and assignment; setting them is an error there.
  if (rd_kafka_version() >= kKip848Version && config->TrySet("group.protocol", "consumer")) return;
  config->Set("partition.assignment.strategy", "cooperative-sticky");
  config->Set("session.timeout.ms", base::ToMs(options.session_timeout));
  config->Set("heartbeat.interval.ms",
              std::clamp<std::int64_t>(base::ToMs(options.session_timeout) / 5, 100, kHeartbeatMsMax));
}

}  // namespace

GroupConsumer::GroupConsumer(const BusOptions& bus, const ConsumerOptions& options, ConsumerHandler* handler,
                             std::string_view service, telemetry::Registry& metrics)
    : bus_(bus),
      options_(options),
      handler_(handler),
      service_(service),
      assigned_partitions_(metrics.AddGauge(base::StrCat(service, "_bus_assigned_partitions"),
                                            "Partitions that this process owns in its consumer group.")),
      rebalances_(metrics.AddCounter(base::StrCat(service, "_bus_rebalances_total"),
                                     "Assignments and revocations of partitions.")),
      commit_failures_(metrics.AddCounter(base::StrCat(service, "_bus_commit_failures_total"),
                                          "Offset commits that failed; they are repeated.")),
      paused_partitions_(metrics.AddGauge(base::StrCat(service, "_bus_paused_partitions"),
                                          "Owned partitions that are not fetched, because their window is full.")),
      health_(bus.brokers) {
  for (const std::string& topic : options.topics) {
    consumed_.emplace(topic, metrics.AddCounter(base::StrCat(service, "_bus_consumed_total"), "Records handed over.",
                                                {{"topic", std::string(TopicLabel(bus, topic))}}));
  }
}

GroupConsumer::~GroupConsumer() {
  Stop();
  DropClient();
}

absl::Status GroupConsumer::Open() {
  absl::StatusOr<ClientConfig> config = ClientConfig::Make(bus_, service_);
  if (!config.ok()) return config.status();
  config->Set("group.id", bus_.topic_prefix + options_.group);
  SetGroupProtocol(options_, &*config);
  config->Set("max.poll.interval.ms", base::ToMs(options_.max_poll_interval));
  config->Set("enable.auto.commit", "false");
  config->Set("enable.auto.offset.store", "false");
  config->Set("auto.offset.reset", "earliest");  // a group without a commit has everything to do
  config->Set("allow.auto.create.topics", "false");
  // A partition that is resumed or assigned waits for the fetch on its way, which the broker holds back this long when
  // the other partitions have nothing new. Idle consumers cost the broker a request in this time.
  config->Set("fetch.wait.max.ms", base::ToMs(options_.fetch_wait_max));
  config->Set("fetch.min.bytes", options_.fetch_bytes_min);
  config->Set("fetch.error.backoff.ms", 100);
  config->Set("queued.max.messages.kbytes", kFetchQueueKbytes);
  config->Set("fetch.message.max.bytes", kRecordBytesMax);
  join_watch_->Attach(config->get());
  join_watch_->Reset();
  assigned_once_ = false;
  rd_kafka_conf_set_rebalance_cb(config->get(), &OnRebalance);
  rd_kafka_conf_set_error_cb(config->get(), &OnError);
  absl::StatusOr<ClientPtr> client = std::move(*config).NewClient(RD_KAFKA_CONSUMER, this);
  if (!client.ok()) return client.status();
  client_ = *std::move(client);
  rd_kafka_poll_set_consumer(client_.get());
  committer_ = std::make_unique<OffsetCommitter>(client_.get(), &table_, commit_failures_);
  health_.Watch(client_.get());
  std::lock_guard lock(wake_mutex_);
  wake_queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
  return absl::OkStatus();
}

void GroupConsumer::Start() {
  CHECK_MSG(!poll_thread_.joinable() && !stopping_, "Start is called once");
  {
    std::lock_guard lock(commit_mutex_);
    ended_ = false;
  }
  poll_thread_ = std::thread([this] { RunPollThread(); });
}

void GroupConsumer::Stop(base::MonotonicTime deadline) {
  if (!poll_thread_.joinable()) {
    stopping_ = true;
    return;
  }
  stop_by_ = deadline;
  health_.StopAsking();  // the question on its way ends beside the leaving
  stopping_ = true;
  CHECK_MSG(poll_thread_.get_id() != std::this_thread::get_id(), "a handler must not stop its consumer");
  Wake();
  poll_thread_.join();
}

void GroupConsumer::Wake() {
  std::lock_guard lock(wake_mutex_);
  if (wake_queue_ != nullptr) rd_kafka_queue_yield(wake_queue_.get());
}

void GroupConsumer::MarkDone(const TopicPartition& partition, std::int64_t offset) {
  table_.MarkDone(partition, offset);
}

void GroupConsumer::Note(const TopicPartition& partition, std::int64_t offset, std::uint32_t note,
                         std::function<void(bool)> on_durable) {
  const std::optional<PartitionTable::NoteTicket> ticket = table_.SetNote(partition, offset, note);
  if (on_durable == nullptr) return;
  if (!ticket) return on_durable(false);
  {
    std::lock_guard lock(notes_mutex_);
    notes_waiting_.push_back({*ticket, std::move(on_durable)});
    notes_on_the_way_ = true;
  }
  Wake();
}

// Tells those whose note is durable, or never will be.
void GroupConsumer::ServeNotes() {
  if (!notes_on_the_way_) return;
  std::vector<std::pair<std::function<void(bool)>, bool>> due;
  {
    std::lock_guard lock(notes_mutex_);
    std::erase_if(notes_waiting_, [&](NoteWaiter& waiter) {
      const PartitionTable::NoteState state = table_.StateOf(waiter.ticket);
      if (state == PartitionTable::NoteState::kOnTheWay) return false;
      due.emplace_back(std::move(waiter.on_durable), state == PartitionTable::NoteState::kDurable);
      return true;
    });
    notes_on_the_way_ = !notes_waiting_.empty();
  }
  for (const auto& [on_durable, durable] : due) on_durable(durable);
}

void GroupConsumer::Pause(const TopicPartition& partition) {
  table_.SetPaused(partition, true);
  pauses_changed_ = true;
}

void GroupConsumer::Resume(const TopicPartition& partition) {
  table_.SetPaused(partition, false);
  pauses_changed_ = true;
  Wake();
}

bool GroupConsumer::polling() const {
  const std::int64_t last_ms = last_turn_ms_;
  return last_ms > 0 && base::ToMs(Now().time_since_epoch()) - last_ms < base::ToMs(kPollingMeans);
}

absl::Status GroupConsumer::CommitNow(base::MonotonicTime deadline) {
  while (true) {
    std::unique_lock lock(commit_mutex_);
    const std::uint64_t request = ++commits_requested_;
    lock.unlock();
    Wake();
    lock.lock();
    if (!commit_answered_.wait_until(lock, deadline, [&] { return ended_ || commits_answered_ >= request; })) {
      return absl::DeadlineExceededError("offsets are not committed yet");
    }
    if (commits_answered_ < request) return absl::FailedPreconditionError("the consumer does not run");
    // A rebalance refuses commits for a moment, a broker's restart for a few seconds.
    if (!absl::IsUnavailable(commit_answer_) || Now() + kCommitRetryDelay >= deadline) return commit_answer_;
    commit_answered_.wait_for(lock, kCommitRetryDelay, [this] { return ended_; });
  }
}

void GroupConsumer::RunPollThread() {
  Subscribe();
  while (!stopping_) Turn();
  Leave();
  last_turn_ms_ = 0;
  std::lock_guard lock(commit_mutex_);
  ended_ = true;
  commit_answered_.notify_all();
}

void GroupConsumer::Turn() {
  last_turn_ms_ = base::ToMs(Now().time_since_epoch());
  if (client_ == nullptr) {
    if (Now() < next_reopen_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kPollTimeoutMs));
    } else {
      Reopen();
    }
    return;
  }
  ApplyPauses();
  ServeCommits();
  ServeNotes();
  AssignPending();
  gap_repair_.Serve(Now());
  const MessagePtr message(rd_kafka_consumer_poll(client_.get(), kPollTimeoutMs));
  if (message != nullptr) Handle(*message);
  std::array<char, 512> reason{};
  if (rd_kafka_fatal_error(client_.get(), reason.data(), reason.size()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    telemetry::LogError("kafka_consumer_replaced", {{"reason", reason.data()}});
    RevokeOwned(table_.Owned(), /*lost=*/true);
    DropClient();
    next_reopen_ = Now() + base::BackoffDelay(++reopen_attempt_, std::chrono::milliseconds(200),
                                              std::chrono::seconds(10), /*seed=*/0);
  }
}

void GroupConsumer::Subscribe() {
  const PartitionListPtr topics = NewPartitionList(options_.topics.size());
  for (const std::string& topic : options_.topics) {
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t error = rd_kafka_subscribe(client_.get(), topics.get());
  CHECK_MSG(error == RD_KAFKA_RESP_ERR_NO_ERROR, rd_kafka_err2str(error));  // malformed topic names
}

void GroupConsumer::ApplyPauses() {
  if (!pauses_changed_.exchange(false)) return;
  const PartitionTable::PauseChanges changes = table_.TakePauseChanges();
  const auto to_list = [](const std::vector<TopicPartition>& partitions) {
    PartitionListPtr list = NewPartitionList(partitions.size());
    for (const TopicPartition& partition : partitions) {
      rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
    }
    return list;
  };
  if (!changes.pause.empty()) rd_kafka_pause_partitions(client_.get(), to_list(changes.pause).get());
  if (!changes.resume.empty()) rd_kafka_resume_partitions(client_.get(), to_list(changes.resume).get());
  paused_partitions_.Set(static_cast<double>(table_.paused_count()));
}

void GroupConsumer::ServeCommits() {
  if (committer_->on_the_way()) {
    committer_->Serve();
    if (committer_->on_the_way()) return;
  }
  if (join_watch_->joining()) return;
  std::uint64_t request = 0;
  {
    std::lock_guard lock(commit_mutex_);
    request = commits_requested_;
    const bool notes_due = notes_on_the_way_ && Now() >= next_notes_commit_;
    if (commits_answered_ == request && Now() < next_commit_ && !notes_due) return;
  }
  next_commit_ = Now() + options_.commit_interval;
  std::vector<PartitionTable::Commit> commits = table_.Uncommitted();
  if (commits.empty()) {
    FinishCommitRequest(request, absl::OkStatus());
    return;
  }
  committer_->Start(std::move(commits), [this, request](const absl::Status& status) {
    if (status.ok()) health_.NoteSuccess();
    if (!status.ok()) next_notes_commit_ = Now() + kCommitRetryDelay;
    FinishCommitRequest(request, status);
  });
}

void GroupConsumer::FinishCommitRequest(std::uint64_t request, const absl::Status& status) {
  std::lock_guard lock(commit_mutex_);
  if (commits_answered_ >= request) return;
  commits_answered_ = request;
  commit_answer_ = status;
  commit_answered_.notify_all();
}

void GroupConsumer::Handle(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    HandleError(message);
    return;
  }
  health_.NoteSuccess();
  reopen_attempt_ = 0;
  const TopicPartition partition{rd_kafka_topic_name(message.rkt), message.partition};
  PartitionTable::Begun begun = table_.Begin(partition, message.offset, /*log_end=*/-1);
  if (begun.verdict == PartitionTable::Verdict::kSkip) {
    // Rare, so only here is it asked whether the log behind the record is a new one (topic recreated, log truncated).
    std::int64_t low = 0;
    std::int64_t high = 0;
    if (rd_kafka_get_watermark_offsets(client_.get(), partition.topic.c_str(), partition.partition, &low, &high) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      begun = table_.Begin(partition, message.offset, high);
    }
  }
  switch (begun.verdict) {
    case PartitionTable::Verdict::kSkip:
      return;
    case PartitionTable::Verdict::kGap:
      gap_repair_.Try(Now());
      return;
    case PartitionTable::Verdict::kBehindGap:
      return;
    case PartitionTable::Verdict::kLogReset:
      RestartLog(partition, message.offset);
      break;
    case PartitionTable::Verdict::kWork:
      if (begun.missing_count > 0) {
        telemetry::LogError("log_records_missing", {{"topic", partition.topic},
                                                    {"partition", partition.partition},
                                                    {"offset", message.offset},
                                                    {"missing", begun.missing_count}});
      }
      break;
  }
  HandOver(message, partition, begun.note);
}

void GroupConsumer::HandOver(const rd_kafka_message_t& message, const TopicPartition& partition, std::uint32_t note) {
  if (const auto counter = consumed_.find(partition.topic); counter != consumed_.end()) counter->second.Increment();
  Record record = ToRecord(message);
  record.note = note;
  handler_->OnRecord(std::move(record));
}

void GroupConsumer::RestartLog(const TopicPartition& partition, std::int64_t offset) {
  telemetry::LogError("log_was_reset",
                      {{"topic", partition.topic}, {"partition", partition.partition}, {"offset", offset}});
  handler_->OnRevoked(partition, /*lost=*/true);
  table_.Assign(partition, offset, {});
  handler_->OnAssigned(partition, offset, {});
  CHECK(table_.Begin(partition, offset, -1).verdict == PartitionTable::Verdict::kWork);
}

std::vector<absl::Status> GroupConsumer::Seek(const std::vector<PartitionTable::Gap>& gaps) {
  const PartitionListPtr list = NewPartitionList(gaps.size());
  for (const PartitionTable::Gap& gap : gaps) {
    rd_kafka_topic_partition_list_add(list.get(), gap.partition.topic.c_str(), gap.partition.partition)->offset =
        gap.next_offset;
  }
  const ErrorPtr error(rd_kafka_seek_partitions(client_.get(), list.get(), kSeekTimeoutMs));
  std::vector<absl::Status> results;
  for (int i = 0; i < list->cnt; ++i) {
    const rd_kafka_resp_err_t code = error != nullptr ? rd_kafka_error_code(error.get()) : list->elems[i].err;
    results.push_back(ToStatus(code, "seek"));
  }
  return results;
}

void GroupConsumer::HandleError(const rd_kafka_message_t& message) {
  base::MonotonicTime& last = errors_logged_[message.err];
  if (last != base::MonotonicTime() && Now() - last < kSameErrorInterval) return;
  last = Now();
  telemetry::LogWarning("kafka_consumer_error",
                        {{"error", rd_kafka_err2name(message.err)},
                         {"topic", message.rkt == nullptr ? "" : rd_kafka_topic_name(message.rkt)},
                         {"reason", rd_kafka_message_errstr(&message)}});
}

void GroupConsumer::OnError(rd_kafka_t*, int error, const char* reason, void* opaque) {
  auto* self = static_cast<GroupConsumer*>(opaque);
  if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) self->health_.NoteAllDown();
  telemetry::LogWarning("kafka_consumer_error",
                        {{"error", rd_kafka_err2name(static_cast<rd_kafka_resp_err_t>(error))}, {"reason", reason}});
}

}  // namespace internal

absl::StatusOr<std::unique_ptr<Consumer>> Consumer::Create(const BusOptions& bus, const ConsumerOptions& options,
                                                           ConsumerHandler* handler, std::string_view service,
                                                           telemetry::Registry& metrics) {
  CHECK(handler != nullptr && !options.topics.empty() && !options.group.empty());
  auto consumer = std::make_unique<internal::GroupConsumer>(bus, options, handler, service, metrics);
  if (absl::Status status = consumer->Open(); !status.ok()) return status;
  return consumer;
}

}  // namespace bus
