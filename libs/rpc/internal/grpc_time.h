#pragma once

#include <grpc/support/time.h>

#include <chrono>

#include "libs/base/clock.h"

namespace rpc::internal {

// Deadlines cross into gRPC on the monotonic clock: a step of the wall clock must not end or extend calls.
inline gpr_timespec ToGrpcDeadline(base::MonotonicTime deadline) {
  const base::Duration left = deadline - base::Clock::Real().Now();
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(left.count(), GPR_TIMESPAN));
}

// REQUIRES: `deadline` is not infinite
inline base::MonotonicTime FromGrpcDeadline(gpr_timespec deadline) {
  const gpr_timespec left =
      gpr_time_sub(gpr_convert_clock_type(deadline, GPR_CLOCK_MONOTONIC), gpr_now(GPR_CLOCK_MONOTONIC));
  return base::Clock::Real().Now() + std::chrono::seconds(left.tv_sec) + std::chrono::nanoseconds(left.tv_nsec);
}

}  // namespace rpc::internal
