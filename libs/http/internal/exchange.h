#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/http/client.h"
#include "libs/http/url.h"
#include "libs/telemetry/metrics.h"

namespace http::internal {

struct ClientMetrics {
  ClientMetrics(std::string_view service, telemetry::Registry& metrics);

  telemetry::Counter answered;
  telemetry::Counter not_sent;
  telemetry::Counter maybe_sent;
  telemetry::Histogram seconds;
  telemetry::Histogram unchecked_seconds;
  telemetry::Gauge connections;
  std::atomic<std::int32_t> outstanding{0};  // exchanges alive
};

// One request on its way to its one callback. Whoever drops the last reference without an answer (a queue, a
// connection, a stopped thread) causes the callback with Unavailable: no request is ever forgotten.
//
// Threading: confined to one io thread at a time.
class Exchange {
 public:
  Exchange(ClientRequest request, Url url, std::function<void(ClientResult)> on_done,
           std::shared_ptr<ClientMetrics> metrics);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void Succeed(Response response);
  void Fail(FailureKind kind, absl::Status status);  // with the certainty known so far

  const Url& url() const { return url_; }
  const std::string& wire() const { return wire_; }  // the request's bytes
  bool is_head() const { return is_head_; }
  // Negative: as the client's options say.
  std::int64_t response_bytes_max() const { return response_bytes_max_; }
  base::MonotonicTime deadline() const { return deadline_; }
  bool MaySend() const { return may_send_ == nullptr || may_send_(); }

  // From before the question to behind the write that took the first byte.
  void ObserveFirstWrite(base::Duration since_checked) const {
    if (may_send_ != nullptr) metrics_->unchecked_seconds.Observe(base::ToSeconds(since_checked));
  }

  // Set before bytes are handed to the kernel, taken back only when the kernel has refused all of them.
  void set_certainty(SendCertainty certainty) { certainty_ = certainty; }
  SendCertainty certainty() const { return certainty_; }

  // A stale connection is replaced once; false the second time.
  bool TakeReplacement() { return !std::exchange(replaced_, true); }

 private:
  void Finish(ClientResult result);

  const Url url_;
  const std::string wire_;
  const bool is_head_;
  const std::int64_t response_bytes_max_;
  const base::MonotonicTime started_;
  const base::MonotonicTime deadline_;
  const std::function<bool()> may_send_;
  std::function<void(ClientResult)> on_done_;  // nullptr once called
  const std::shared_ptr<ClientMetrics> metrics_;
  SendCertainty certainty_ = SendCertainty::kNotSent;
  bool replaced_ = false;
};

// InvalidArgument when method or header fields cannot be sent as they are.
absl::Status CheckRequest(const ClientRequest& request);

}  // namespace http::internal
