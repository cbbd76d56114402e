#pragma once

#include <string>

#include "absl/status/status.h"
#include "libs/base/clock.h"

namespace rpc {

// Asks the standard health service (grpc.health.v1.Health/Check, all services) once, on a connection of its own; waits
// for the connection until the deadline. OK: serving. Unavailable: it says NOT_SERVING, or nobody answers. For tools
// and tests; orchestrators have probes of their own.
absl::Status CheckHealth(const std::string& target, base::MonotonicTime deadline);

}  // namespace rpc
