#pragma once

#include <cstdint>

#include "libs/bus/options.h"
#include "libs/bus/record.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

// What an operator has written to `turns` about one conversation, in its place among what the user said: so it is kept
// for as long as that, and a rebuild finds it.
namespace meshctl {

// Deletes what was said so far: TURN_KIND_FORGET, behind all that it deletes. It names the turns of `history` that may
// have brought files, for a worker to delete them.
bus::OutgoingRecord ForgetRecord(const mesh::bus::v1::ConversationId& conversation,
                                 const mesh::session::v1::GetSessionResponse& history, const bus::BusOptions& options,
                                 std::int64_t now_ms);

// Who answers from here on: TURN_KIND_CONTROL, which the worker tells session. REQUIRES: `action` is not UNSPECIFIED
bus::OutgoingRecord ControlRecord(const mesh::bus::v1::ConversationId& conversation,
                                  mesh::bus::v1::ControlAction action, const bus::BusOptions& options,
                                  std::int64_t now_ms);

}  // namespace meshctl
