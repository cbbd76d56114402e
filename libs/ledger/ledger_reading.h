#pragma once

#include "libs/bus/record.h"
#include "libs/records/refusal.h"
#include "proto/bus/v1/bus.pb.h"

namespace ledger {

// Header `ce_type` of the ledger's records.
inline constexpr char kLedgerRecordType[] = "mesh.bus.v1.LedgerRecord";

// A record of `send-ledger`.
//
// What is refused changes nothing, and the partition goes on behind it: it is not this version's, not a ledger record,
// or stands under a key that is not its own. Such a record would be compacted away by another one, or would take
// another one away, so that an owner who reads the log later would see something else than this one.
records::Decoded<mesh::bus::v1::LedgerRecord> DecodeLedgerRecord(const bus::Record& record);

}  // namespace ledger
