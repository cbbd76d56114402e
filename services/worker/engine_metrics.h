#pragma once

#include "libs/engine/engine.h"
#include "libs/telemetry/metrics.h"

namespace worker {

// The engine's own figures, read from it before each export.
// Threading: Refresh on the exporting thread only.
class EngineMetrics {
 public:
  explicit EngineMetrics(telemetry::Registry& registry);
  void Refresh(const engine::Engine& engine);

 private:
  telemetry::Gauge running_;
  telemetry::Gauge queued_;
  telemetry::Gauge preempted_;
  telemetry::Gauge blocks_free_;
  telemetry::Gauge blocks_total_;
  telemetry::Counter prefix_tokens_;
  telemetry::Counter prefill_tokens_;
  telemetry::Counter decode_tokens_;
  telemetry::Counter steps_;
  telemetry::Counter step_seconds_;
  telemetry::Counter preemptions_;
  telemetry::Counter swaps_;
  telemetry::Counter forks_;
  telemetry::Counter sequences_failed_;
  engine::EngineStats exported_;  // totals as of the last refresh
};

}  // namespace worker
