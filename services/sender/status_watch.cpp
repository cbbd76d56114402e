#include "services/sender/status_watch.h"

#include <chrono>
#include <utility>

#include "absl/status/statusor.h"
#include "libs/telemetry/log.h"

namespace sender {
namespace {

constexpr base::Duration kDeadline = std::chrono::seconds(2);
// A doubt asks once a second; one that has not for so long has ended.
constexpr base::Duration kWantedFor = std::chrono::seconds(10);
constexpr base::Duration kLogInterval = std::chrono::seconds(10);

}  // namespace

StatusWatch::StatusWatch(const bus::BusOptions& bus, std::string group, std::string topic, base::Duration interval,
                         const base::Clock* clock)
    : bus_(bus),
      group_(std::move(group)),
      topic_(std::move(topic)),
      interval_(interval),
      clock_(clock),
      thread_([this] { Run(); }) {}

StatusWatch::~StatusWatch() {
  Stop();
  thread_.join();
}

void StatusWatch::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
}

base::Duration StatusWatch::CoveredSince(std::int32_t partition, base::MonotonicTime since) {
  std::lock_guard lock(mutex_);
  const auto [found, added] = watched_.try_emplace(partition, Watched{StatusCoverage(2 * interval_ + kDeadline), {}});
  found->second.wanted_at = clock_->Now();
  if (added) wake_.notify_all();
  return found->second.coverage.CoveredSince(since);
}

void StatusWatch::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::vector<bus::TopicPartition> wanted = TakeWanted();
    if (wanted.empty()) {
      wake_.wait(lock, [this] { return stopping_ || !watched_.empty(); });
      continue;
    }
    lock.unlock();
    Ask(wanted);
    lock.lock();
    wake_.wait_for(lock, interval_, [this] { return stopping_; });
  }
}

std::vector<bus::TopicPartition> StatusWatch::TakeWanted() {
  std::erase_if(watched_, [&](const auto& entry) { return clock_->Now() - entry.second.wanted_at > kWantedFor; });
  std::vector<bus::TopicPartition> wanted;
  for (const auto& [partition, watched] : watched_) wanted.push_back({topic_, partition});
  return wanted;
}

void StatusWatch::Ask(const std::vector<bus::TopicPartition>& partitions) {
  const base::MonotonicTime asked_at = clock_->Now();
  absl::StatusOr<std::vector<bus::PartitionLag>> lags = std::vector<bus::PartitionLag>{};
  if (reader_ == nullptr) {
    absl::StatusOr<std::unique_ptr<bus::GroupLagReader>> reader = bus::GroupLagReader::Open(bus_, group_);
    if (reader.ok()) {
      reader_ = *std::move(reader);
    } else {
      lags = reader.status();
    }
  }
  if (reader_ != nullptr) lags = reader_->Read(partitions, asked_at + kDeadline);
  if (!lags.ok()) {
    NoteFailure(lags.status());
    reader_.reset();
  }
  std::lock_guard lock(mutex_);
  if (!lags.ok()) {
    for (auto& [partition, watched] : watched_) watched.coverage.OnNoAnswer();
    return;
  }
  for (const bus::PartitionLag& lag : *lags) {
    const auto found = watched_.find(lag.partition.partition);
    if (found != watched_.end()) found->second.coverage.OnAnswer(asked_at, lag.end, lag.end - lag.lag());
  }
}

void StatusWatch::NoteFailure(const absl::Status& status) {
  const base::MonotonicTime now = clock_->Now();
  if (failure_logged_at_ != base::MonotonicTime{} && now - failure_logged_at_ < kLogInterval) return;
  failure_logged_at_ = now;
  telemetry::LogWarning("doubts_stand_still", {{"group", group_}, {"topic", topic_}, {"error", status.ToString()}});
}

}  // namespace sender
