#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "libs/bus/record.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/meshctl/ledger_outcomes.h"

namespace meshctl {

struct ParkedCopy {
  bus::Record record;
  mesh::bus::v1::Reply reply;
  std::string reason;  // in_doubt, account
};

// The copies that stand in `parked`, and of which of their replies the ledger knows the end by now: a status came after
// all. Feed both topics whole. What no sender would take is passed over.
//
// Memory: at most `copies_max` copies in full, and the ledger's partitions (LedgerOutcomes). Threading: none.
class ParkedCopies {
 public:
  explicit ParkedCopies(std::size_t copies_max) : copies_max_(copies_max) {}

  void OnParked(const bus::Record& record);
  void OnLedger(const bus::Record& record);

  // A copy is named by where it stands: "partition-offset".
  const std::map<std::string, ParkedCopy>& by_name() const { return by_name_; }
  bool HasEnded(const mesh::bus::v1::Reply& reply) const {
    return ended_.contains({reply.turn_id(), reply.generation()});
  }
  bool too_many() const { return too_many_; }
  std::size_t passed_over() const { return passed_over_; }  // records of `parked`

 private:
  const std::size_t copies_max_;
  std::map<std::string, ParkedCopy> by_name_;
  bool too_many_ = false;
  std::size_t passed_over_ = 0;
  std::map<std::int32_t, std::unique_ptr<LedgerOutcomes>> ledgers_;  // by partition
  std::set<std::pair<std::string, std::uint32_t>> ended_;            // turn id and generation
};

}  // namespace meshctl
