#include "services/meshctl/parked_copies.h"

#include <string_view>

#include "libs/ledger/ledger_reading.h"
#include "libs/records/reply_record.h"
#include "services/meshctl/requeue.h"

namespace meshctl {
namespace {

constexpr std::size_t kSettledMax = 1'000'000;  // of a partition; statuses of older ones tell nothing

// What the sender's copies carry (services/sender/effects.h).
constexpr std::string_view kReasonHeader = "mesh-parked";

}  // namespace

void ParkedCopies::OnParked(const bus::Record& record) {
  auto reply = records::DecodeParked(record);
  if (!reply.ok()) {
    ++passed_over_;
    return;
  }
  too_many_ |= by_name_.size() >= copies_max_;
  if (too_many_) return;
  std::string reason(bus::FindHeader(record.headers, kReasonHeader));
  by_name_[CommandName(record)] = {record, *std::move(reply), std::move(reason)};
}

void ParkedCopies::OnLedger(const bus::Record& record) {
  const auto entry = ledger::DecodeLedgerRecord(record);
  if (!entry.ok()) return;
  auto& ledger = ledgers_[record.partition];
  if (ledger == nullptr) ledger = std::make_unique<LedgerOutcomes>(kSettledMax);
  if (const auto report = ledger->Apply(record.offset, *entry)) {
    ended_.emplace(report->turn_id(), report->generation());
  }
}

}  // namespace meshctl
