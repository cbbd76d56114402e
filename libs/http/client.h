#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/http/ip_address.h"
#include "libs/http/message.h"
#include "libs/telemetry/metrics.h"

namespace http {

struct ClientOptions {
  std::int32_t threads = 1;                    // all connections to one host are on one of them
  std::int32_t connections_per_host_max = 64;  // a host is scheme, name and port
  std::int32_t requests_queued_max = 10000;    // accepted and not answered yet; more are Unavailable at once
  std::int64_t response_bytes_max = 4 << 20;   // body; headers have 64 KiB
  base::Duration connect_timeout = std::chrono::seconds(5);  // resolve, connect and TLS together
  // Since the last byte in either direction of a request that runs; then it is Unavailable. 0: until its deadline.
  base::Duration stall_timeout = base::Duration::zero();
  base::Duration keep_alive_idle_timeout = std::chrono::seconds(30);
  std::string ca_file = {};  // PEM; empty: the system's
  // Asked on the io thread for each address of a host, numeric hosts too; only those it accepts are connected to, as
  // they were resolved: a name that resolves to something else a moment later gains nothing. Empty: all. Must not
  // block.
  std::function<bool(const IpAddress&)> may_connect = nullptr;
};

struct ClientRequest {
  std::string method = "POST";
  std::string url = {};  // http:// or https://, without user name; anything else is InvalidArgument
  HeaderList headers =
      {};  // Host, Content-Length, Transfer-Encoding and Connection are the client's own: InvalidArgument
  std::string body = {};
  std::int64_t response_bytes_max = -1;  // of this body; negative: the client's
  base::MonotonicTime deadline = {};  // of everything: waiting for a connection, connecting, sending, the whole answer
  // Asked on the io thread right before the first byte is written; false gives up with Aborted (certainly not sent).
  // For lease checks. Must not block. Asked again when a stale connection is replaced.
  std::function<bool()> may_send = nullptr;
};

// What is known about a request that got no answer: nothing of it can have reached the peer's application, or it may
// have.
enum class SendCertainty { kNotSent, kMaybeSent };

// On which step of its way a request got no answer, for whoever advises people; what may be tried again `status` says.
enum class FailureKind {
  kResolve,      // the host's name
  kConnect,      // none of its addresses takes a connection
  kTls,          // the handshake
  kCertificate,  // the peer's is not accepted
  kBroken,       // the connection, with the request or the answer under way
  kStalled,      // nothing moved for connect_timeout or stall_timeout
  kDeadline,     // the request's own
  kOther,        // refused on this side, not HTTP or too large on the other; shutting down
};

struct ClientFailure {
  // Unavailable: cannot connect, the connection broke, the answer is no HTTP, too many requests wait, shutting down.
  // DeadlineExceeded. Aborted: may_send said no. InvalidArgument: the request cannot be sent as it is.
  // OutOfRange: the answer is larger than response_bytes_max. FailedPrecondition: the peer's certificate is not
  // accepted. PermissionDenied: may_connect accepts none of the host's addresses.
  absl::Status status = absl::OkStatus();
  // kNotSent: resolve, connect or TLS failed, or the request's first write failed without a byte accepted.
  SendCertainty certainty = SendCertainty::kNotSent;
  FailureKind kind = FailureKind::kOther;
};

struct ClientResult {
  // Exactly one of the two is meaningful. Any status code is an answer, redirects too: none is followed.
  bool ok = false;
  Response response = {};
  ClientFailure failure = {};
};

// Pooled keep-alive HTTP/1.1 client with TLS 1.2 or later; certificate and host name are always checked. Never retries
// by itself: a reused connection that turns out closed before any byte of the request was written is replaced once
// (that is certain).
//
// Threading: Send from any thread, never blocks; the callback runs once, on an io thread, and must not block.
// Lifetime:  the destructor calls what is outstanding back with Unavailable, on its own thread.
// Metrics:   <service>_http_client_requests_total{outcome=answered|not_sent|maybe_sent}, _http_client_request_seconds,
//            _http_client_connections, and _http_client_unchecked_seconds: from asking may_send until the write that
//            took the first byte had returned (with TLS: until the loop was told so).
class Client {
 public:
  // InvalidArgument names the option that is out of bounds; FailedPrecondition when ca_file cannot be used.
  static absl::StatusOr<std::unique_ptr<Client>> Create(const ClientOptions& options, std::string_view service,
                                                        telemetry::Registry& metrics);
  virtual ~Client() = default;
  virtual void Send(ClientRequest request, std::function<void(ClientResult)> on_done) = 0;
  ClientResult SendAndWait(ClientRequest request);  // for tools and threads that may block; not from a callback
};

}  // namespace http
