#pragma once

#include <string>

#include "libs/bus/record.h"
#include "libs/records/refusal.h"
#include "proto/bus/v1/bus.pb.h"

namespace records {

inline constexpr char kReplyType[] = "mesh.bus.v1.ReplyRecord";  // header `ce_type` of `replies` and `parked`

// A record of `replies`: a reply or a withdrawal, of its type or of none (as tools write them), with a turn id, under
// the key of its conversation.
// Threading: pure. Cost: one parse and a microsecond.
Decoded<mesh::bus::v1::ReplyRecord> DecodeReply(const bus::Record& record);

// A record of `parked`: the same, and a reply, for withdrawals wait nowhere.
Decoded<mesh::bus::v1::Reply> DecodeParked(const bus::Record& record);

// Of the turn that is answered or withdrawn.
const std::string& TurnIdOf(const mesh::bus::v1::ReplyRecord& record);

}  // namespace records
