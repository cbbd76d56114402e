#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/records/refusal.h"
#include "services/sender/send_lane.h"

namespace sender {

// Takes the replies of one partition back from `parked` and says them, in the order of their conversations, once their
// account can send again.
//
// What waits there is the ledger's to say (LedgerState::parked), so a successor goes on where its predecessor died. An
// account that still cannot send has one reply in hand, which knocks at the gate; as soon as one was taken, the others
// follow, a few at a time. When a reply has come to its end and what follows from it is written, RETURNED says so.
//
// Threading: confined to the sender's loop. Lifetime: held by its partition; callbacks hold it.
// Bound:     kInHandMax replies of an account in memory, and their offsets for as long as session is not told.
class ParkedReturn : public std::enable_shared_from_this<ParkedReturn> {
 public:
  explicit ParkedReturn(LaneContext context);  // the partition's; what marks records done is replaced

  // Looks for replies that can come back; call after each TAKEOVER, and when the ledger has parked one.
  void Begin();
  void OnLedgerChange(const ledger::LedgerState::Change& change);
  void Resume();  // after a new TAKEOVER: the lanes go on
  void Stop();    // nothing new is begun

  std::size_t busy_count() const;

 private:
  static constexpr std::size_t kInHandMax = 32;

  void Look();
  void LookLater();
  std::vector<std::int64_t> ChooseNext() const;  // offsets in `parked`
  void OnRead(const std::vector<std::int64_t>& asked, const std::vector<bus::Record>& copies);
  void Take(bus::Record copy, const ledger::ParkedReplies::Reply& reply);
  void Lose(const ledger::ParkedReplies::Reply& reply, std::string_view why);
  void Refuse(bus::Record copy, const ledger::ParkedReplies::Reply& reply, records::Refusal refusal);
  std::shared_ptr<SendLane> LaneOf(const std::string& key);
  void OnEnded(std::int64_t replies_offset);
  void AppendReturned(const ledger::TurnKey& key, std::int64_t parked_offset, int attempt);
  bool CannotSend(const mesh::bus::v1::ConversationId& conversation) const;
  const ledger::ParkedReplies& parked() const { return context_.ledger->state().parked(); }
  Effects& effects() const { return *context_.effects; }

  LaneContext context_;
  std::map<std::string, std::shared_ptr<SendLane>> lanes_;  // by conversation key
  std::map<std::int64_t, ledger::TurnKey> in_hand_;         // by offset in `replies`: from reading its copy to RETURNED
  std::shared_ptr<UnreportedRecords> unreported_;           // of all lanes: RETURNED follows once session was told
  std::map<std::int64_t, int> misses_;                      // by offset in `parked`: asked for and not there
  bool reading_ = false;
  bool look_scheduled_ = false;
  bool stopped_ = false;
};

}  // namespace sender
