#include "services/exporter/collector.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/bus/topics.h"
#include "libs/telemetry/log.h"
#include "services/exporter/redis_info.h"

namespace exporter {
namespace {

constexpr base::Duration kKafkaDeadline = std::chrono::seconds(5);
constexpr base::Duration kRedisDeadline = std::chrono::seconds(2);

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

// Runs `look` and keeps the source's own figures about it.
template <typename Function>
absl::Status Observe(const Metrics::Source& source, std::string_view name, Function look) {
  const base::MonotonicTime begun = Now();
  const absl::Status status = look();
  source.seconds.Observe(base::ToSeconds(Now() - begun));
  source.up.Set(status.ok() ? 1 : 0);
  if (!status.ok()) {
    source.failures.Increment();
    telemetry::LogWarning("look_failed", {{"source", name}, {"error", status.ToString()}});
  }
  return status;
}

}  // namespace

Collector::Collector(const Options& options, std::vector<GroupAndTopic> groups, const Metrics* metrics)
    : options_(options),
      groups_(std::move(groups)),
      metrics_(metrics),
      ages_(groups_.size()),
      dead_letters_(options.bus, "exporter", bus::TopicName(options.bus, bus::kDeadLetter)),
      parked_(options.bus, "exporter", bus::TopicName(options.bus, bus::kParked)) {
  for (const GroupAndTopic& group : groups_) {
    lags_.emplace_back(options_.bus, group.group, bus::TopicName(options_.bus, group.topic));
  }
  absl::StatusOr<std::unique_ptr<Nvml>> nvml = Nvml::Open(options_.nvml_library);
  if (nvml.ok()) {
    nvml_ = *std::move(nvml);
  } else {
    telemetry::LogInfo("no_gpu_figures", {{"reason", nvml.status().message()}});
  }
}

absl::Status Collector::Look() {
  // Each failure is counted and logged where it happens; none keeps the exporter from being useful.
  absl::Status first_failure = Observe(metrics_->sources.at("kafka"), "kafka", [this] { return LookAtKafka(); });
  first_failure.Update(Observe(metrics_->sources.at("redis"), "redis", [this] { return LookAtRedis(); }));
  if (nvml_ != nullptr) Observe(metrics_->sources.at("gpu"), "gpu", [this] { return LookAtGpus(); }).IgnoreError();
  return first_failure;
}

absl::Status Collector::LookAtKafka() {
  const base::MonotonicTime deadline = Now() + kKafkaDeadline;
  absl::Status first_failure;
  for (std::size_t index = 0; index < groups_.size(); ++index) first_failure.Update(LookAtGroup(index, deadline));
  first_failure.Update(CountRecords(dead_letters_, metrics_->dead_letters, deadline));
  first_failure.Update(CountRecords(parked_, metrics_->parked, deadline));
  return first_failure;
}

absl::Status Collector::LookAtGroup(std::size_t index, base::MonotonicTime deadline) {
  const auto lags = lags_[index].Look(deadline);
  if (!lags.ok()) return lags.status();
  std::int64_t sum = 0;
  std::int64_t worst = 0;
  const base::MonotonicTime now = Now();
  for (const bus::PartitionLag& partition : *lags) {
    sum += partition.lag();
    worst = std::max(worst, partition.lag());
    ages_[index].Look(partition.partition.partition, now, partition.end - partition.lag(), partition.end);
  }
  const Metrics::Group& gauges = metrics_->groups_by_index[index];
  gauges.lag.Set(static_cast<double>(sum));
  gauges.lag_partition_max.Set(static_cast<double>(worst));
  gauges.age_seconds.Set(base::ToSeconds(ages_[index].Oldest(now)));
  return absl::OkStatus();
}

absl::Status Collector::CountRecords(bus::GroupTopicLag& topic, const telemetry::Gauge& gauge,
                                     base::MonotonicTime deadline) {
  const auto lags = topic.Look(deadline);
  if (!lags.ok()) return lags.status();
  std::int64_t records = 0;
  for (const bus::PartitionLag& partition : *lags) records += partition.end - partition.low;
  gauge.Set(static_cast<double>(records));
  return absl::OkStatus();
}

absl::Status Collector::LookAtRedis() {
  const base::MonotonicTime deadline = Now() + kRedisDeadline;
  if (redis_ == nullptr || !redis_->open()) {
    auto connection = redis::Connection::Connect(options_.redis, "exporter", deadline);
    if (!connection.ok()) return connection.status();
    redis_ = *std::move(connection);
  }
  const absl::StatusOr<redis::Reply> reply = redis_->Run({"INFO"}, deadline);
  if (!reply.ok()) {
    redis_.reset();
    return reply.status();
  }
  const RedisInfo info = ParseRedisInfo(reply->text);
  metrics_->redis.memory_bytes.Set(static_cast<double>(info.used_memory_bytes));
  metrics_->redis.memory_max_bytes.Set(static_cast<double>(info.maxmemory_bytes));
  metrics_->redis.clients.Set(static_cast<double>(info.connected_clients));
  metrics_->redis.evicted_keys.Set(static_cast<double>(info.evicted_keys));
  metrics_->redis.aof_enabled.Set(info.aof_enabled ? 1 : 0);
  metrics_->redis.aof_ok.Set(info.aof_ok ? 1 : 0);
  return absl::OkStatus();
}

absl::Status Collector::LookAtGpus() {
  const absl::StatusOr<std::vector<GpuFigures>> gpus = nvml_->Read();
  if (!gpus.ok()) return gpus.status();
  for (std::size_t index = 0; index < gpus->size(); ++index) metrics_->SetGpu(index, (*gpus)[index]);
  return absl::OkStatus();
}

}  // namespace exporter
