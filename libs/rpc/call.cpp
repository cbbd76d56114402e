#include "libs/rpc/call.h"

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <algorithm>
#include <optional>
#include <string>

#include "libs/base/str_cat.h"
#include "libs/rpc/internal/grpc_time.h"

namespace rpc {
namespace {

constexpr const char* kTraceparent = "traceparent";
// gRPC sends the message as an HTTP/2 header, and peers refuse headers beyond 8 KiB.
constexpr std::size_t kStatusMessageBytesMax = 1024;

}  // namespace

base::MonotonicTime CallDeadline(const grpc::CallbackServerContext& context, const ServerOptions& options) {
  const base::MonotonicTime now = base::Clock::Real().Now();
  const gpr_timespec given = context.raw_deadline();
  if (gpr_time_cmp(given, gpr_inf_future(given.clock_type)) == 0) {
    return now + std::chrono::milliseconds(options.deadline_default_ms);
  }
  // Compared before the conversion: seconds near the end of time would overflow the nanoseconds of base::Duration.
  const base::MonotonicTime latest = now + std::chrono::milliseconds(options.deadline_max_ms);
  if (gpr_time_cmp(gpr_convert_clock_type(given, GPR_CLOCK_MONOTONIC), internal::ToGrpcDeadline(latest)) >= 0) {
    return latest;
  }
  return internal::FromGrpcDeadline(given);
}

telemetry::TraceContext CallTrace(const grpc::CallbackServerContext& context) {
  const auto found = context.client_metadata().find(kTraceparent);
  if (found != context.client_metadata().end()) {
    const auto parent = telemetry::TraceContext::Parse({found->second.data(), found->second.size()});
    if (parent.has_value()) return parent->NewChild();
  }
  return telemetry::TraceContext::NewRoot();
}

void PrepareCall(grpc::ClientContext& context, base::MonotonicTime deadline, const telemetry::TraceContext& trace) {
  context.set_deadline(internal::ToGrpcDeadline(deadline));
  if (!trace.trace_id.empty()) context.AddMetadata(kTraceparent, trace.ToTraceparent());
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message(status.message());
  if (message.size() > kStatusMessageBytesMax) message.resize(kStatusMessageBytesMax);
  return {static_cast<grpc::StatusCode>(status.code()), message};
}

absl::Status FromGrpc(const grpc::Status& status, std::string_view method) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      base::StrCat(method, ": ", status.error_message()));
}

}  // namespace rpc
