#pragma once

#include <cstdint>

#include "kernels/primitives/gpu/launch_result.h"

namespace kernels::gpu {

// Sums and gathers over the cards of one tensor-parallel group: one rank a card, one thread a rank. On cards this is
// NCCL, opened at run time (libnccl.so.2); on the emulator the ranks are threads of one process that meet.
//
// Every rank calls the same functions in the same order; a call is enqueued on the rank's stream and, like a kernel,
// may be captured into a graph. A sum adds in an order that NCCL fixes for a group, so a step repeats with the same
// bits.
//
// Threading: a communicator belongs to its rank's thread.
inline constexpr std::int32_t kRanksMax = 8;

struct CommunicatorId {
  char bytes[128];
};

class Communicator;

// Made by one rank, given to all. NoDevice: NCCL is not on this machine; the message says where it was looked for.
LaunchResult MakeCommunicatorId(CommunicatorId* id);

// Returns when every rank has called; the calling thread's device is the rank's card.
// REQUIRES: 0 <= rank < ranks <= kRanksMax
LaunchResult MakeCommunicator(const CommunicatorId& id, std::int32_t rank, std::int32_t ranks, Communicator** made);
void DestroyCommunicator(Communicator* communicator);  // nullptr is fine

// Refused without a communicator, or without memory for what is asked.
//
// values[i] = sum over the ranks, in place.
//   values : [count] in device memory
LaunchResult AllReduceSum(Communicator* communicator, float* values, std::int64_t count, Stream stream);

// received[r] = rank r's `sent`.
//   sent     : [bytes];  received : [ranks][bytes], both in device memory
LaunchResult AllGather(Communicator* communicator, const void* sent, void* received, std::int64_t bytes, Stream stream);

}  // namespace kernels::gpu
