#pragma once

#include <string>

#include "proto/bus/v1/bus.pb.h"

namespace sim {

// A ledger record in one line of a trace.
std::string Describe(const mesh::bus::v1::LedgerRecord& record);

}  // namespace sim
