#pragma once

#include <cstdint>

#include "libs/bus/options.h"
#include "libs/bus/record.h"
#include "proto/bus/v1/bus.pb.h"

namespace meshctl {

// The record that deletes what was said in a conversation so far: a turn of kind TURN_KIND_FORGET on `turns`, behind
// all that it deletes, so that it is kept for as long as they are.
bus::OutgoingRecord ForgetRecord(const mesh::bus::v1::ConversationId& conversation, const bus::BusOptions& options,
                                 std::int64_t now_ms);

}  // namespace meshctl
