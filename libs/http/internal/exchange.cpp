#include "libs/http/internal/exchange.h"

#include <chrono>
#include <utility>
#include <vector>

#include "libs/base/str_cat.h"
#include "libs/http/internal/ascii.h"
#include "libs/http/internal/header_scan.h"
#include "libs/telemetry/log.h"

namespace http::internal {
namespace {

bool IsClientsOwnField(std::string_view name) {
  for (const std::string_view own : {"host", "content-length", "transfer-encoding", "connection"}) {
    if (EqualsIgnoreCase(name, own)) return true;
  }
  return false;
}

std::string ToWire(const ClientRequest& request, const Url& url) {
  std::string out = base::StrCat(request.method, " ", url.target, " HTTP/1.1\r\nHost: ", url.authority, "\r\n");
  // A length of zero is said for methods whose body means something (RFC 9110, 8.6).
  if (!request.body.empty() || (request.method != "GET" && request.method != "HEAD")) {
    out += base::StrCat("Content-Length: ", request.body.size(), "\r\n");
  }
  for (const auto& [name, value] : request.headers) out += base::StrCat(name, ": ", value, "\r\n");
  out += "\r\n";
  out += request.body;
  return out;
}

// 1 us to 1 s: what is far below a lease, and what is not.
std::vector<double> UncheckedBuckets() {
  return {1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1};
}

telemetry::Counter AddOutcome(std::string_view service, telemetry::Registry& metrics, std::string outcome) {
  return metrics.AddCounter(base::StrCat(service, "_http_client_requests_total"),
                            "Requests sent, by what is known of them", {{"outcome", std::move(outcome)}});
}

}  // namespace

ClientMetrics::ClientMetrics(std::string_view service, telemetry::Registry& metrics)
    : answered(AddOutcome(service, metrics, "answered")),
      not_sent(AddOutcome(service, metrics, "not_sent")),
      maybe_sent(AddOutcome(service, metrics, "maybe_sent")),
      seconds(metrics.AddHistogram(base::StrCat(service, "_http_client_request_seconds"),
                                   "From Send to the callback, waiting for a connection included",
                                   telemetry::LatencyBuckets())),
      unchecked_seconds(metrics.AddHistogram(base::StrCat(service, "_http_client_unchecked_seconds"),
                                             "From asking may_send until the write with the first byte had returned",
                                             UncheckedBuckets())),
      connections(metrics.AddGauge(base::StrCat(service, "_http_client_connections"), "Open or opening connections")) {}

Exchange::Exchange(ClientRequest request, Url url, std::function<void(ClientResult)> on_done,
                   std::shared_ptr<ClientMetrics> metrics)
    : url_(std::move(url)),
      wire_(ToWire(request, url_)),
      is_head_(request.method == "HEAD"),
      response_bytes_max_(request.response_bytes_max),
      started_(std::chrono::steady_clock::now()),
      deadline_(request.deadline),
      may_send_(std::move(request.may_send)),
      on_done_(std::move(on_done)),
      metrics_(std::move(metrics)) {
  ++metrics_->outstanding;
}

Exchange::~Exchange() {
  Fail(FailureKind::kOther, absl::UnavailableError("the HTTP client is shutting down"));
  --metrics_->outstanding;
}

void Exchange::Succeed(Response response) {
  if (on_done_ == nullptr) return;
  metrics_->answered.Increment();
  Finish({.ok = true, .response = std::move(response), .failure = {}});
}

void Exchange::Fail(FailureKind kind, absl::Status status) {
  if (on_done_ == nullptr) return;
  (certainty_ == SendCertainty::kNotSent ? metrics_->not_sent : metrics_->maybe_sent).Increment();
  Finish(
      {.ok = false, .response = {}, .failure = {.status = std::move(status), .certainty = certainty_, .kind = kind}});
}

void Exchange::Finish(ClientResult result) {
  metrics_->seconds.Observe(base::ToSeconds(std::chrono::steady_clock::now() - started_));
  const auto on_done = std::exchange(on_done_, nullptr);
  try {
    on_done(std::move(result));
  } catch (const std::exception& error) {
    telemetry::LogError("http_client_callback_threw", {{"what", error.what()}});
  } catch (...) {
    telemetry::LogError("http_client_callback_threw", {{"what", "unknown"}});
  }
}

absl::Status CheckRequest(const ClientRequest& request) {
  if (!IsToken(request.method)) return absl::InvalidArgumentError("the method is no HTTP token");
  for (const auto& [name, value] : request.headers) {
    if (!IsToken(name)) return absl::InvalidArgumentError("a header name is no HTTP token");
    if (IsClientsOwnField(name))
      return absl::InvalidArgumentError(base::StrCat("header ", name, " is the client's own"));
    if (!IsFieldValue(value))
      return absl::InvalidArgumentError(base::StrCat("header ", name, " has a control character"));
  }
  return absl::OkStatus();
}

}  // namespace http::internal
