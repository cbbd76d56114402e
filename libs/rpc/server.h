#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/rpc/options.h"

namespace grpc {
class Service;
}

namespace rpc {

// A gRPC server over HTTP/2 without TLS (processes of one mesh; a mesh across hosts puts it behind mTLS of the
// platform), with the standard health service (grpc.health.v1), keepalive limits and a bounded number of threads.
// Services use the callback API and give their work to a CallExecutor: gRPC's own threads never block.
//
// Threading: safe from any thread. The destructor drains with no time left.
class Server {
 public:
  // Binds and starts. The services must outlive the server. Unavailable when the port is taken (--grpc-port).
  // Health answers NOT_SERVING until SetServing(true).
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       const std::vector<grpc::Service*>& services);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;
  void SetServing(bool serving);  // what the health service says, of every service name

  // Health turns to NOT_SERVING for good, no new calls are taken, those in flight may end until the deadline and are
  // cancelled then. Idempotent.
  void Drain(base::MonotonicTime deadline);

 private:
  struct Rep;
  explicit Server(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace rpc
