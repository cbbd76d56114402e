#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/http/message.h"
#include "libs/telemetry/metrics.h"

namespace http {

struct ClientOptions {
  std::int32_t threads = 1;
  std::int32_t connections_per_host_max = 64;
  std::int32_t requests_queued_max = 10000;
  std::int64_t response_bytes_max = 4 << 20;
  base::Duration connect_timeout = std::chrono::seconds(5);
  base::Duration keep_alive_idle_timeout = std::chrono::seconds(30);
  std::string ca_file;  // empty: the system's
};

struct ClientRequest {
  std::string method = "POST";
  std::string url;             // http:// or https://; anything else is InvalidArgument
  HeaderList headers;
  std::string body;
  base::MonotonicTime deadline;
  // Asked right before the first byte is written; false gives up with Aborted (certainly not sent). For lease checks.
  std::function<bool()> may_send;
};

// What is known about a request that got no answer: nothing of it can have reached the peer's application, or it may have.
enum class SendCertainty { kNotSent, kMaybeSent };

struct ClientFailure {
  absl::Status status;           // Unavailable, DeadlineExceeded, InvalidArgument, Aborted
  SendCertainty certainty = SendCertainty::kNotSent;  // kNotSent: resolve, connect, TLS, or the request's first write failed
};

struct ClientResult {
  // Exactly one of the two is meaningful.
  bool ok = false;
  Response response;
  ClientFailure failure;
};

// Pooled keep-alive HTTP/1.1 client with TLS. Never retries by itself: a reused connection that turns out closed before
// any byte of the request was written is replaced once (that is certain).
// Threading: Send from any thread, never blocks; the callback runs once, on an io thread, and must not block.
class Client {
 public:
  static absl::StatusOr<std::unique_ptr<Client>> Create(const ClientOptions& options, std::string_view service,
                                                        telemetry::Registry& metrics);
  virtual ~Client() = default;
  virtual void Send(ClientRequest request, std::function<void(ClientResult)> on_done) = 0;
  ClientResult SendAndWait(ClientRequest request);  // for tools and threads that may block
};

}  // namespace http
