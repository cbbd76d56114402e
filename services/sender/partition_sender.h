#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libs/bus/record.h"
#include "libs/records/refusal.h"
#include "services/sender/parked_return.h"
#include "services/sender/send_lane.h"

namespace sender {

// One partition of `replies` while it is assigned here: takes the ledger over, then runs a lane for each conversation.
//
//   Start -> TAKEOVER appended -> ledger read up to it -> owner: lanes run -> Retire (revoked)
//                                                           | a foreign TAKEOVER: nothing new is begun; if the
//                                                           partition | is still ours after a while, it is taken over
//                                                           again
//
// Threading: confined to the sender's loop.
// Bound:     the intake window bounds the records here; records that come before ownership wait in `early_`.
class PartitionSender : public std::enable_shared_from_this<PartitionSender> {
 public:
  struct Hooks {
    std::function<std::string()> new_owner_name;  // unique per call, across processes and restarts
    std::function<void()> on_owned;               // the lanes may run: let records come
    std::function<void(std::int64_t)> mark_done;
  };

  // `context.ledger` is being read already or will be at once; `context.mark_done` is set here.
  PartitionSender(LaneContext context, Hooks hooks);

  void Start();
  void OnRecord(bus::Record record);
  void OnLedgerChange(const ledger::LedgerState::Change& change);

  // Nothing new is begun; what is between a CLAIM and its SENT is finished.
  void Drain();
  // Drain, and it is somebody else's now.
  void Retire();

  bool owned() const { return owned_; }
  std::size_t lane_count() const { return lanes_.size(); }
  std::size_t parked_count() const { return context_.ledger->state().parked().size(); }
  std::size_t busy_count() const;

 private:
  void TakeOver(int attempt);
  void OnTakeoverRead();
  void RetakeLater();
  void OnReply(bus::Record record, const mesh::bus::v1::Reply& reply);
  void OnSupersede(bus::Record record, const mesh::bus::v1::Supersede& supersede);
  void Refuse(bus::Record record, records::Refusal refusal);
  std::shared_ptr<SendLane> LaneOf(const std::string& key);
  void ReportDelivery(const ledger::LedgerState::Change& change);
  void ReportRecentDeliveries();
  void Report(const ledger::PlannedTurn& turn, mesh::session::v1::Outcome outcome);
  Effects& effects() const { return *context_.effects; }

  LaneContext context_;
  const Hooks hooks_;
  std::map<std::string, std::shared_ptr<SendLane>>
      lanes_;  // by conversation key; ordered, so that runs can be replayed
  const std::shared_ptr<ParkedReturn> returns_;
  std::deque<bus::Record> early_;
  base::MonotonicTime assigned_at_;
  bool owned_ = false;   // has been the owner since the last TAKEOVER of ours
  bool reread_ = false;  // the ledger has been read up once; what it says from then on is news
  bool draining_ = false;
  bool retired_ = false;
};

}  // namespace sender
