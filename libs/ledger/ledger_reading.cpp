#include "libs/ledger/ledger_reading.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/byte_key.h"
#include "libs/bus/headers.h"
#include "libs/identity/identity.h"
#include "libs/ledger/turn_key.h"

namespace ledger {
namespace {

using mesh::bus::v1::LedgerRecord;
using mesh::bus::v1::LedgerSent;
using records::Refusal;
using records::RefusalReason;

constexpr std::size_t kKeyPartsMax = 5;

std::vector<std::string> TurnKeyParts(std::string_view kind, const TurnKey& key) {
  return {std::string(kind), key.turn_id, std::to_string(key.generation), key.fallback ? "1" : "0"};
}

// What the key of this record begins with: everything but the term of its writer, which only a CLAIM holds itself.
std::vector<std::string> KeyPartsOf(const LedgerRecord& record) {
  switch (record.body_case()) {
    case LedgerRecord::kPlan:
      return {"plan", record.plan().turn_id(), std::to_string(record.plan().generation()),
              std::to_string(record.plan().kind())};
    case LedgerRecord::kClaim:
      return {"claim", record.claim().reply_id(), std::to_string(record.claim().term())};
    case LedgerRecord::kSent:
      // It takes the place of the CLAIM that it gives back.
      return {record.sent().outcome() == LedgerSent::OUTCOME_RELEASED ? "claim" : "sent", record.sent().reply_id()};
    case LedgerRecord::kEvidence:
      if (!record.evidence().reply_id().empty()) return {"evidence", record.evidence().reply_id()};
      return {"evidence", identity::KeyOf(record.evidence().conversation()).value(), record.evidence().message_id(),
              record.evidence().text_digest()};
    case LedgerRecord::kTakeover:
      return {"takeover", record.takeover().owner()};
    case LedgerRecord::kSupersede:
      return {"supersede", record.supersede().turn_id()};
    case LedgerRecord::kParked:
      return TurnKeyParts("parked", KeyOf(record.parked()));
    case LedgerRecord::kReturned:
      return TurnKeyParts("returned", KeyOf(record.returned()));
    case LedgerRecord::BODY_NOT_SET:
      break;
  }
  return {};
}

bool IsOwnKey(std::string_view key, const LedgerRecord& record) {
  const std::optional<std::vector<std::string>> parts = base::SplitLengthPrefixed(key, kKeyPartsMax);
  const std::vector<std::string> own = KeyPartsOf(record);
  return parts && parts->size() >= own.size() && std::equal(own.begin(), own.end(), parts->begin());
}

}  // namespace

records::Decoded<LedgerRecord> DecodeLedgerRecord(const bus::Record& record) {
  if (!bus::IsOfType(record.headers, kLedgerRecordType)) {
    return Refusal{RefusalReason::kUnknownSchema, "a newer version wrote it"};
  }
  LedgerRecord decoded;
  if (record.value.empty() || !decoded.ParseFromString(record.value)) {
    return Refusal{RefusalReason::kUndecodable, "not a LedgerRecord"};
  }
  if (decoded.body_case() == LedgerRecord::BODY_NOT_SET) {
    return Refusal{RefusalReason::kUnknownSchema, "a kind of record that this version does not have"};
  }
  if (!IsOwnKey(record.key, decoded)) return Refusal{RefusalReason::kKeyMismatch, "key is another record's"};
  return decoded;
}

}  // namespace ledger
