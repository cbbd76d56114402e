#pragma once

namespace rpc::internal {

// Sends gRPC's own log lines through telemetry, so that a process writes JSON only. Once per process; later calls do
// nothing. Called before anything of gRPC is used.
void RouteGrpcLog();

}  // namespace rpc::internal
