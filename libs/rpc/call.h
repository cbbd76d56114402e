#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "libs/base/clock.h"
#include "libs/rpc/options.h"
#include "libs/telemetry/trace.h"

namespace grpc {
class CallbackServerContext;
class ClientContext;
class Status;
}  // namespace grpc

// What one call carries beside its message: deadline, trace and status, in the project's own types.
namespace rpc {

// The caller's deadline, bounded by the server's maximum; the server's default when the caller set none.
base::MonotonicTime CallDeadline(const grpc::CallbackServerContext& context, const ServerOptions& options);

// A child of the caller's `traceparent`; a new root when there is none or it is malformed.
telemetry::TraceContext CallTrace(const grpc::CallbackServerContext& context);

// Client side: sets the deadline and the `traceparent` of `trace`, when it has one. Calls fail at once while the
// channel is down (no wait-for-ready).
void PrepareCall(grpc::ClientContext& context, base::MonotonicTime deadline, const telemetry::TraceContext& trace);

// The two code lists are the same by design (https://grpc.io/docs/guides/status-codes/).
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status, std::string_view method);  // the message names the method

}  // namespace rpc
