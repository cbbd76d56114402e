#include "services/session/metrics.h"

#include <array>

#include "libs/session/grpc_service.h"

namespace session_service {
namespace {

// Redis answers within a millisecond; LatencyBuckets starts where that ends.
const std::vector<double>& CallBuckets() {
  static const std::vector<double> buckets{0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025,
                                           0.05,   0.1,    0.25,  0.5,   1,     2.5,  5};
  return buckets;
}

constexpr std::array kCodes{absl::StatusCode::kOk,
                            absl::StatusCode::kCancelled,
                            absl::StatusCode::kInvalidArgument,
                            absl::StatusCode::kDeadlineExceeded,
                            absl::StatusCode::kResourceExhausted,
                            absl::StatusCode::kUnavailable,
                            absl::StatusCode::kDataLoss,
                            absl::StatusCode::kInternal};

}  // namespace

Metrics::Metrics(telemetry::Registry& registry)
    : calls_waiting_(registry.AddGauge("session_calls_waiting", "Calls that wait for a handler thread")) {
  for (const std::string_view name : session::GrpcService::Methods()) {
    const std::string method(name);
    Method entry{{},
                 registry.AddHistogram("session_rpc_seconds", "Time from a call's arrival to its answer", CallBuckets(),
                                       {{"method", method}})};
    for (const absl::StatusCode code : kCodes) {
      entry.by_code.emplace(code, registry.AddCounter("session_rpc_total", "Calls by method and gRPC status code",
                                                      {{"method", method}, {"code", absl::StatusCodeToString(code)}}));
    }
    methods_.emplace(method, std::move(entry));
  }
}

void Metrics::CountCall(std::string_view method, absl::StatusCode code, base::Duration took) const {
  const Method& entry = methods_.find(method)->second;
  const auto found = entry.by_code.find(code);
  (found != entry.by_code.end() ? found : entry.by_code.find(absl::StatusCode::kInternal))->second.Increment();
  entry.seconds.Observe(base::ToSeconds(took));
}

void Metrics::SetCallsWaiting(std::size_t waiting) const { calls_waiting_.Set(static_cast<double>(waiting)); }

}  // namespace session_service
