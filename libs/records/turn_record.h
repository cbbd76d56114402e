#pragma once

#include "libs/bus/record.h"
#include "libs/records/refusal.h"
#include "proto/bus/v1/bus.pb.h"

namespace records {

inline constexpr char kTurnType[] = "mesh.bus.v1.Turn";  // header `ce_type` of the records of `turns`

// A record of `turns`: of its type or of none (as tools write them), with a turn id, of a kind and an action that this
// version knows, under the key of its conversation.
// Threading: pure. Cost: one parse and a microsecond.
Decoded<mesh::bus::v1::Turn> DecodeTurn(const bus::Record& record);

}  // namespace records
