#include "libs/rpc/internal/grpc_log.h"

#include <grpc/support/log.h>

#include <mutex>

#include "libs/telemetry/log.h"

namespace rpc::internal {
namespace {

// gRPC's errors are mostly about one peer or one call and come back as a status as well, so they are warnings here.
void Forward(gpr_log_func_args* args) {
  const auto level =
      args->severity == GPR_LOG_SEVERITY_ERROR ? telemetry::LogLevel::kWarning : telemetry::LogLevel::kDebug;
  telemetry::Log(level, "grpc", {{"message", args->message}});
}

}  // namespace

void RouteGrpcLog() {
  static std::once_flag once;
  std::call_once(once, [] { gpr_set_log_function(&Forward); });
}

}  // namespace rpc::internal
