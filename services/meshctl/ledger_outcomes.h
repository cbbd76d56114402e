#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/container/flat_hash_map.h"
#include "libs/ledger/ledger_state.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

namespace meshctl {

// What one partition of `send-ledger` says became of each reply, as the reports that tell session: the ledger's own
// rules (libs/ledger), and what of it was told before. Pure.
//
// Memory: as the sender's, whose log it reads: replies without an end in full; of those that have one the newest
//         `settled_max` in full, the others in 20 bytes. Evidence about these (read weeks later) is lost.
// Threading: none.
class LedgerOutcomes {
 public:
  explicit LedgerOutcomes(std::size_t settled_max)
      : settled_max_(settled_max), state_(std::make_unique<ledger::LedgerState>(settled_max)) {}

  // REQUIRES: offsets rise. A report when the record settles a reply, or tells more of a settled one.
  std::optional<mesh::session::v1::SetOutcomeRequest> Apply(std::int64_t offset,
                                                            const mesh::bus::v1::LedgerRecord& record);

 private:
  bool IsNews(const ledger::TurnKey& key, mesh::session::v1::Outcome outcome);

  const std::size_t settled_max_;
  std::unique_ptr<ledger::LedgerState> state_;  // not null; a pointer, so that what holds this can be moved
  absl::flat_hash_map<ledger::TurnKey, mesh::session::v1::Outcome> told_;  // the last one of each that is kept in full
};

}  // namespace meshctl
