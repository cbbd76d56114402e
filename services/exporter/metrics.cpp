#include "services/exporter/metrics.h"

namespace exporter {

Metrics::Metrics(telemetry::Registry& metric_registry, const std::vector<GroupAndTopic>& groups)
    : registry(metric_registry),
      dead_letters(registry.AddGauge("exporter_dead_letter_records", "Records the topic dead-letter holds.")),
      parked(registry.AddGauge("exporter_parked_records", "Records the topic parked holds.")),
      redis{registry.AddGauge("exporter_redis_memory_bytes", "used_memory of Redis."),
            registry.AddGauge("exporter_redis_memory_max_bytes", "maxmemory of Redis; 0: no limit."),
            registry.AddGauge("exporter_redis_clients", "Clients connected to Redis."),
            registry.AddGauge("exporter_redis_evicted_keys", "Keys Redis has evicted since it started."),
            registry.AddGauge("exporter_redis_aof_enabled", "1 when Redis keeps an append-only file."),
            registry.AddGauge("exporter_redis_aof_ok", "1 when its last write and its last rewrite succeeded.")} {
  for (const GroupAndTopic& group : groups) {
    const telemetry::Labels labels = {{"group", group.group}, {"topic", group.topic}};
    groups_by_index.push_back(
        {registry.AddGauge("exporter_consumer_lag_messages", "Messages behind the committed position, all partitions.",
                           labels),
         registry.AddGauge("exporter_consumer_lag_partition_max_messages", "The same for the worst partition.", labels),
         registry.AddGauge("exporter_queue_age_seconds", "How long the oldest message not done has waited.", labels)});
  }
  for (const std::string_view name : kSources) {
    const telemetry::Labels labels = {{"source", std::string(name)}};
    sources.emplace(name, Source{registry.AddGauge("exporter_source_up", "1 when the last look succeeded.", labels),
                                 registry.AddCounter("exporter_source_failures_total", "Looks that failed.", labels),
                                 registry.AddHistogram("exporter_source_seconds", "Duration of a look.",
                                                       telemetry::LatencyBuckets(), labels)});
  }
}

void Metrics::SetGpu(std::size_t index, const GpuFigures& figures) const {
  const telemetry::Labels labels = {{"gpu", std::to_string(index)}};
  registry.AddGauge("exporter_gpu_utilization_ratio", "Share of time in which a kernel ran.", labels)
      .Set(figures.utilization_ratio);
  registry.AddGauge("exporter_gpu_memory_used_bytes", "Device memory in use.", labels)
      .Set(static_cast<double>(figures.memory_used_bytes));
  registry.AddGauge("exporter_gpu_memory_total_bytes", "Device memory.", labels)
      .Set(static_cast<double>(figures.memory_total_bytes));
}

}  // namespace exporter
