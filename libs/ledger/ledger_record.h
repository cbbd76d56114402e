#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libs/identity/identity.h"
#include "libs/ledger/turn_key.h"
#include "proto/bus/v1/bus.pb.h"

// The records of `send-ledger` and their keys (design.md, "Topics": compact + 8 d).
//
// Compaction keeps the newest record of a key, so a key must never be shared by two records that both matter. Hence
// every key carries the term of its writer: a former owner that wakes up and writes a void CLAIM behind our TAKEOVER
// would otherwise erase our valid one. RELEASED shares the key of the CLAIM it gives back, because it makes it
// meaningless.
namespace ledger {

struct LedgerEntry {
  std::string key;
  mesh::bus::v1::LedgerRecord record;
};

// Of `reply` its text and rich parts are not used: `parts` holds them, split and fitted.
LedgerEntry MakePlan(const mesh::bus::v1::Reply& reply, const std::vector<mesh::bus::v1::OutboundPart>& parts,
                     std::int64_t replies_offset, std::int64_t term, std::int64_t wall_ms);

LedgerEntry MakeClaim(const identity::ReplyId& reply, std::int64_t term, std::uint32_t resends, std::int64_t wall_ms);

// The claim's POST showed nothing, for certain: the reply is open again.
LedgerEntry MakeRelease(const identity::ReplyId& reply, std::int64_t term, std::int64_t claim_offset,
                        std::int64_t wall_ms);

LedgerEntry MakeSent(const identity::ReplyId& reply, std::int64_t term, std::int64_t claim_offset,
                     std::string_view message_id, std::int64_t wall_ms);
LedgerEntry MakeFailed(const identity::ReplyId& reply, std::int64_t term, std::int64_t claim_offset,
                       std::int32_t error_code, std::string_view reason, std::int64_t wall_ms);
// In doubt for good.
LedgerEntry MakeParked(const identity::ReplyId& reply, std::int64_t term, std::int64_t claim_offset,
                       std::int64_t wall_ms);
LedgerEntry MakeSuperseded(const identity::ReplyId& reply, std::int64_t term, std::int64_t wall_ms);

// A supersede record of `replies` was read. True whoever says it, so the key names no term.
LedgerEntry MakeSupersede(const std::string& turn_id, const mesh::bus::v1::ConversationId& conversation,
                          mesh::bus::v1::DropPolicy policy, std::int64_t replies_offset, std::int64_t wall_ms);

// The account cannot send; `reply` stands at `parked_offset` of `parked` now.
LedgerEntry MakeParkedReply(const mesh::bus::v1::Reply& reply, std::int64_t replies_offset, std::int64_t parked_offset,
                            std::int64_t term, std::int64_t wall_ms);
// True whoever says it, so the key names no term.
LedgerEntry MakeReturned(const TurnKey& key, std::int64_t parked_offset, std::int64_t wall_ms);

// `owner` is unique per assignment, so that no two TAKEOVERs share a key and void claims stay recognisable.
LedgerEntry MakeTakeover(std::string_view owner, std::int64_t wall_ms);

// What a status proves about a send. Says nothing (empty key) when it names neither a reply id, a message id nor a
// text.
LedgerEntry MakeEvidence(const mesh::bus::v1::DeliveryStatus& status, std::int64_t wall_ms);

}  // namespace ledger
