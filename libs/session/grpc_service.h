#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "libs/base/clock.h"
#include "libs/rpc/call_executor.h"
#include "libs/rpc/options.h"
#include "libs/session/store.h"

namespace grpc {
class Service;
}

namespace session {

// mesh.session.v1.SessionService over a Store: validates, bounds the deadline, and runs each call on the executor,
// because the store blocks. A call whose deadline passes while it waits for a thread is not run. Errors:
// InvalidArgument (the request), ResourceExhausted (too many calls wait; --grpc-calls-waiting-max), else the store's.
class GrpcService {
 public:
  // Called once per call, on any thread, right before its answer is given to gRPC. `method` is one of Methods().
  using Observer = std::function<void(std::string_view method, absl::StatusCode code, base::Duration took)>;

  // All pointers must outlive the server that `service()` is given to; the executor must be destroyed before the store.
  GrpcService(Store* store, rpc::CallExecutor* executor, const rpc::ServerOptions& options, Observer observer);
  ~GrpcService();
  GrpcService(const GrpcService&) = delete;
  GrpcService& operator=(const GrpcService&) = delete;

  grpc::Service* service();
  static std::span<const std::string_view> Methods();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace session
