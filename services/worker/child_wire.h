#pragma once

#include "absl/status/statusor.h"
#include "google/protobuf/message_lite.h"
#include "libs/base/clock.h"
#include "libs/engine/engine.h"
#include "proto/inference/v1/child.pb.h"

namespace worker {

// What a worker and its sacrificial child say to each other over a socket: frames, and the engine's types as messages.

// The child's end of the socket.
inline constexpr int kChildSocket = 3;

// False: the other end is gone. Blocks while the socket is full; never raises SIGPIPE.
bool SendFrame(int socket, const google::protobuf::MessageLite& message);
// Blocks until a whole frame has come. False: the other end is gone, or sent what is no frame (at most 64 MiB).
bool ReceiveFrame(int socket, google::protobuf::MessageLite* message);

mesh::inference::v1::ChildRequest ToWire(const engine::GenerationRequest& request, base::MonotonicTime now);
engine::GenerationRequest FromWire(const mesh::inference::v1::ChildRequest& wire, base::MonotonicTime now);

mesh::inference::v1::ChildAnswer ToWire(const absl::StatusOr<engine::GenerationResult>& result);
absl::StatusOr<engine::GenerationResult> FromWire(const mesh::inference::v1::ChildAnswer& wire);

}  // namespace worker
