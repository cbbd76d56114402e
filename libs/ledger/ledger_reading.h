#pragma once

#include <string_view>

#include "libs/bus/record.h"
#include "proto/bus/v1/bus.pb.h"

namespace ledger {

// Header `ce_type` of the ledger's records.
inline constexpr char kLedgerRecordType[] = "mesh.bus.v1.LedgerRecord";

// A record as it was read from `send-ledger`.
//
// What is refused changes nothing, and the partition goes on behind it: it is not this version's (`unknown_schema`),
// not a ledger record (`undecodable`), or stands under a key that is not its own (`key_mismatch`). Such a record would
// be compacted away by another one, or would take another one away, so that an owner who reads the log later would see
// something else than this one.
struct LedgerReading {
  mesh::bus::v1::LedgerRecord record;  // empty when refused
  std::string_view refusal;            // of Metrics::kLedgerRefusals; empty: none
};
LedgerReading ReadLedgerRecord(const bus::Record& record);

}  // namespace ledger
