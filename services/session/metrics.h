#pragma once

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "libs/base/clock.h"
#include "libs/telemetry/metrics.h"

namespace session_service {

// What this service counts, beside the session_redis_* of libs/redis. All label values are known at the start.
// Threading: safe from any thread.
class Metrics {
 public:
  explicit Metrics(telemetry::Registry& registry);

  void CountCall(std::string_view method, absl::StatusCode code, base::Duration took) const;
  void SetCallsWaiting(std::size_t waiting) const;

 private:
  struct Method {
    std::map<absl::StatusCode, telemetry::Counter> by_code;  // codes a call can end with; others count as INTERNAL
    telemetry::Histogram seconds;
  };
  std::map<std::string, Method, std::less<>> methods_;  // constant after construction
  telemetry::Gauge calls_waiting_;
};

}  // namespace session_service
