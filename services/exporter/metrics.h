#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libs/telemetry/metrics.h"
#include "services/exporter/config.h"
#include "services/exporter/nvml.h"

namespace exporter {

// Everything the exporter exports; golden list: tests/golden/metrics/exporter.txt. GPU figures are added when the first
// are read, so that a machine without a GPU does not report an idle one.
struct Metrics {
  Metrics(telemetry::Registry& metric_registry, const std::vector<GroupAndTopic>& groups);

  static constexpr std::string_view kSources[] = {"kafka", "redis", "gpu"};

  struct Group {  // labels group, topic
    telemetry::Gauge lag;
    telemetry::Gauge lag_partition_max;
    telemetry::Gauge age_seconds;
  };
  struct Source {  // label source
    telemetry::Gauge up;
    telemetry::Counter failures;
    telemetry::Histogram seconds;
  };
  struct Redis {
    telemetry::Gauge memory_bytes;
    telemetry::Gauge memory_max_bytes;
    telemetry::Gauge clients;
    telemetry::Gauge evicted_keys;
    telemetry::Gauge aof_enabled;
    telemetry::Gauge aof_ok;
  };

  void SetGpu(std::size_t index, const GpuFigures& figures) const;

  telemetry::Registry& registry;
  std::vector<Group> groups_by_index;  // as in --groups
  std::map<std::string, Source> sources;
  telemetry::Gauge dead_letters;
  telemetry::Gauge parked;
  Redis redis;
};

}  // namespace exporter
