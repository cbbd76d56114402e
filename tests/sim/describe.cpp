#include "tests/sim/describe.h"

#include "libs/base/hex.h"
#include "libs/base/str_cat.h"

namespace sim {
namespace {

std::string Short(const std::string& id) { return base::ToHex(id).substr(0, 8); }

}  // namespace

std::string Describe(const mesh::bus::v1::LedgerRecord& record) {
  using mesh::bus::v1::LedgerRecord;
  switch (record.body_case()) {
    case LedgerRecord::kPlan: {
      std::string line = base::StrCat("PLAN of replies@", record.plan().replies_offset(), ":");
      for (const std::string& part : record.plan().parts()) line += " " + part;
      for (const auto& part : record.plan().rich_parts()) line += " {" + part.ShortDebugString() + "}";
      return line;
    }
    case LedgerRecord::kClaim:
      return base::StrCat("CLAIM of ", Short(record.claim().reply_id()), ", term ", record.claim().term(), ", resends ",
                          record.claim().resends());
    case LedgerRecord::kSent:
      return base::StrCat(mesh::bus::v1::LedgerSent::Outcome_Name(record.sent().outcome()), " of ",
                          Short(record.sent().reply_id()), ", claim ", record.sent().claim_offset());
    case LedgerRecord::kEvidence:
      return base::StrCat("EVIDENCE of ", Short(record.evidence().reply_id()));
    case LedgerRecord::kTakeover:
      return base::StrCat("TAKEOVER by ", record.takeover().owner());
    case LedgerRecord::kSupersede:
      return base::StrCat("SUPERSEDE by replies@", record.supersede().replies_offset());
    case LedgerRecord::kParked:
      return base::StrCat("PARKED replies@", record.parked().replies_offset(), " as parked@",
                          record.parked().parked_offset());
    case LedgerRecord::kReturned:
      return base::StrCat("RETURNED parked@", record.returned().parked_offset());
    default:
      return record.ShortDebugString();
  }
}

}  // namespace sim
