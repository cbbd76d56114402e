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

// Limits of the untrusted side. Defaults are those of docs/decisions/0002-http-stack.md.
struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;    // 0: any free port, see Server::port()
  std::int32_t threads = 1;  // one io_context each, SO_REUSEPORT; a connection never changes thread
  std::int64_t header_bytes_max = 16 * 1024;
  std::int32_t header_fields_max = 100;
  std::int32_t target_bytes_max = 8 * 1024;
  std::int64_t body_bytes_max = 1 << 20;  // routes may set their own
  base::Duration header_read_timeout = std::chrono::seconds(10);
  base::Duration body_idle_timeout = std::chrono::seconds(15);
  base::Duration keep_alive_idle_timeout = std::chrono::seconds(75);
  base::Duration write_stall_timeout = std::chrono::seconds(20);
  base::Duration handler_timeout = std::chrono::seconds(30);  // then 503 is sent in the handler's place
  std::int32_t connections_max = 10000;
  std::int32_t connections_per_peer_max = 10000;
  std::int32_t pipeline_max = 64;  // requests of one connection being answered at once; more wait unread
  // Bodies received and not answered yet. Beyond the first, a connection's next request waits unread; beyond the
  // second, which protects the process, a request with a body gets 503.
  std::int64_t pipeline_body_bytes_max = 8 << 20;
  std::int64_t body_bytes_in_flight_max = 512 << 20;
  std::int64_t body_bytes_per_second_min = 1024;  // after the first body_idle_timeout; slower senders get 408
};

// Sends the answer. Call once, from any thread; later calls and calls after the connection died are ignored. When the
// last copy is destroyed uncalled, 500 is sent in its place, so that a forgotten answer never hangs a connection.
using Responder = std::function<void(Response)>;

// Called on the connection's io thread once the whole body has arrived; must not block. Answers of pipelined requests
// leave in request order, whenever each was given. An exception that leaves it is logged and answered with 500.
using Handler = std::function<void(Request, Responder)>;

// HTTP/1.1 server with keep-alive and pipelining. Beast parses; a policy check behind it refuses what Beast lets
// through (unknown transfer codings, a missing Host, obs-fold, repeated Content-Length):
// docs/decisions/0002-http-stack.md.
//
// HEAD is answered by the route of GET, without the body. An unknown path is 404, a known one with another method 405.
// `Expect: 100-continue` is answered before the body is read; HTTP/1.0 connections are closed after their answer. What
// is refused before it reaches a handler (libs/http/internal/refusal.h) closes the connection after the answer.
//
// Threading: Add and Start on one thread; the rest from any. Handlers run on io threads.
// Lifetime:  the destructor is a Drain without patience. Responders may outlive the server: their answers are dropped.
// Metrics:   <service>_http_requests_total{route,code}, _http_request_seconds{route}, _http_connections,
//            _http_refused_total{reason}. The route of what matched none is "none"; codes outside a fixed list are
//            "other".
class Server {
 public:
  // InvalidArgument names the option that is out of bounds, or the address that is none.
  static absl::StatusOr<std::unique_ptr<Server>> Create(const ServerOptions& options, std::string_view service,
                                                        telemetry::Registry& metrics);
  virtual ~Server() = default;

  // `path` matches exactly; a trailing '*' matches a prefix, and the longest one wins. `route` is the metric label.
  struct Route {
    std::string method;
    std::string path;
    std::string route;
    std::int64_t body_bytes_max = 0;  // 0: the server's
    Handler handler;
  };
  virtual void Add(Route route) = 0;  // REQUIRES: before Start

  virtual absl::Status Start() = 0;        // binds, starts threads; AlreadyExists when the port is taken
  virtual std::uint16_t port() const = 0;  // after Start

  // Stops accepting, answers what is in flight until the deadline (keep-alive connections get Connection: close),
  // closes and stops the threads. Blocks; not on an io thread. Idempotent.
  virtual void Drain(base::MonotonicTime deadline) = 0;

  virtual bool alive() const = 0;  // every io thread turned within the last 10 s, or is not meant to
};

}  // namespace http
