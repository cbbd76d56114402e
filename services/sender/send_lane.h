#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libs/bus/record.h"
#include "libs/telemetry/trace.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/sender/account_gate.h"
#include "services/sender/effects.h"
#include "services/sender/graph_throttle.h"
#include "services/sender/in_doubt.h"
#include "services/sender/ledger_tail.h"
#include "services/sender/metrics.h"
#include "services/sender/rate_limiter.h"
#include "services/sender/send_slots.h"
#include "services/sender/unreported_records.h"

namespace sender {

// The right to send for one partition. Set on the consumer's poll thread the moment the partition is taken away, read
// on the HTTP client's thread right before the first byte.
struct Lease {
  std::atomic<bool> revoked{false};
};

struct LaneOptions {
  base::Duration lease = std::chrono::seconds(5);  // from appending a CLAIM to the POST's first byte, at most
  base::Duration post_timeout = std::chrono::seconds(10);
  base::Duration reconcile = std::chrono::seconds(45);  // watched silence before a doubt is decided
  std::size_t unreported_span_max = 1024;               // see UnreportedRecords
};

// What a lane works with; all outlive it.
struct LaneContext {
  Effects* effects = nullptr;
  LedgerTail* ledger = nullptr;
  RateLimiter* limiter = nullptr;
  AccountGate* gate = nullptr;
  GraphThrottle* throttle = nullptr;
  std::shared_ptr<SendSlots> slots;
  const Metrics* metrics = nullptr;
  std::shared_ptr<Lease> lease;
  LaneOptions options;
  std::function<void(std::int64_t offset)> mark_done;  // a record of `replies` need not be read again
  std::shared_ptr<UnreportedRecords> unreported;       // marks those done that have an outcome
};

// The replies of one conversation, strictly in order: one at a time, part by part (design.md, "Life of a turn" step 8).
//
//   PLAN -> [account gate, rate limit] -> CLAIM -> read back -> POST -> SENT   for each part, then done
//                    ^                                           | refused for now: RELEASED, back-off
//                    +-------------------------------------------+
//                                                                | no answer: in doubt, until evidence or the policy's
//                                                                word
//
// A reply whose account cannot send, and whatever follows it in its conversation, moves to `parked` instead of waiting
// here. A second lane of the conversation, of PushReturned alone, says it from there; until then this one holds back.
//
// The lane keeps no truth of its own: each step appends to the ledger, waits until the record is read back, and then
// asks the ledger's state what comes next. So a lane that starts over after a crash does what its predecessor would
// have done.
//
// Threading: confined to the sender's loop.
// Lifetime:  held by its partition; callbacks hold it while something of its own is in flight.
class SendLane : public std::enable_shared_from_this<SendLane> {
 public:
  struct Item {
    bus::Record record;
    mesh::bus::v1::Reply reply;
    telemetry::TraceContext trace;
    std::string by_turn_id = {};  // of a withdrawal
  };

  // `on_empty` runs when the last item is done; the lane may be let go of in it.
  SendLane(const LaneContext& context, std::function<void()> on_empty);
  ~SendLane();

  void Push(Item item);
  // A copy from `parked`; `item.record` has its origin's place in `replies`. REQUIRES: the lane takes these alone
  void PushReturned(Item item);
  // A later user message withdraws the turn: at once every reply of it that waits here, in whatever generation, will be
  // dropped unless a CLAIM stands; those that come later are once this record's own turn in the lane has come and the
  // ledger has it. `item.reply` holds no more than the turn's id and conversation, and the policy.
  void Supersede(Item item);

  // The ledger told something new about the reply at the head: evidence, or somebody else's record.
  void OnLedgerChange(const ledger::TurnKey& key);

  // Nothing new is begun: no PLAN, no CLAIM, no decision of a doubt. What is between a CLAIM and its SENT is finished.
  void Stop() { stopped_ = true; }

  // After a new TAKEOVER: goes on where a foreign one had stopped it.
  void Resume();

  bool empty() const { return items_.empty(); }
  bool busy() const { return phase_ == Phase::kBusy; }  // something is in flight that should be waited for

 private:
  enum class Phase { kIdle, kBusy, kWaiting, kInDoubt };

  struct Head {  // what is remembered about the reply at the head, beyond the ledger
    std::optional<base::MonotonicTime> first_refused_at;  // later by what it was held back here
    std::optional<base::MonotonicTime> held_since;        // by the throttle
    int refusals = 0;
    std::optional<std::size_t> reserved_part;           // has its place at the rate limiter:
    base::MonotonicTime reserved_for;                   // then
    base::MonotonicTime not_before;                     // back-off after a refusal
    SendSlots::Slot slot;                               // from CLAIM to the answer
    std::shared_ptr<const account::Account> posted_as;  // with the token that the last POST carried
    std::optional<std::size_t> unposted_claim;          // claimed in this life and not posted: may be claimed again
    std::int64_t claim_term = 0;                        // of the last claim made here
    std::optional<std::size_t> doubted_part;
    std::int64_t doubted_claim = 0;
    std::optional<base::MonotonicTime> doubt;          // since; set together with these two
    std::int64_t resend_over = 0;                      // the CLAIM whose doubt ended with another try
    bool audited = false;                              // what `audit` is to know of it is written
    std::optional<base::MonotonicTime> file_taken_at;  // by the platform, or here when it was met as taken
    std::optional<bus::DeadLetterReason> give_up;
    std::string give_up_detail;
    std::int32_t give_up_code = 0;
    std::optional<mesh::session::v1::SetOutcomeRequest> report;  // told to session when the reply is done
  };
  struct Queued {
    Item item;
    bool supersedes = false;  // is a supersede record, not a reply
    bool superseded = false;  // is a reply that one named
    bool returned = false;    // comes from `parked`
  };

  void Step();
  void StepSupersede();
  void RefuseChannel();
  bool MustAudit() const;
  void WriteDrop();
  void WriteSentAfterAll();
  void WriteAudit(mesh::bus::v1::AuditRecord audit);
  void DropDuplicate();
  void DropSuperseded();
  void Plan();
  std::size_t PartsInTime(const account::Account& account) const;
  bool Withdrawn() const;  // it is not to be said unless a CLAIM stands
  bool MustPark() const;
  void ParkReply();
  void Advance(const ledger::PlannedTurn& turn, std::size_t part);
  bool WindowClosed(const mesh::bus::v1::OutboundPart& content) const;
  bool WaitsForFile(const ledger::PlannedTurn& turn, std::size_t part);
  void RememberFile();
  void TryClaim(std::size_t part, std::uint32_t resends);
  bool WaitsForLimits(std::size_t part, const account::Account& account);
  bool HeldBack(const account::Account& account);
  void Claim(std::size_t part, std::uint32_t resends);
  void OnClaimed(std::size_t part, std::int64_t claim_offset, base::MonotonicTime claimed_at);
  void Post(const ledger::PlannedTurn& turn, std::size_t part, std::int64_t claim_offset,
            base::MonotonicTime claimed_at);
  void OnPosted(std::size_t part, std::int64_t claim_offset, base::MonotonicTime posted_at, http::ClientResult result);
  void OnAnswer(std::size_t part, std::int64_t claim_offset, const http::Response& response);
  void OnNoAnswer(std::size_t part, std::int64_t claim_offset, const http::ClientFailure& failure);
  // error_code: Meta's; -1: it was not asked
  void ParkAccount(std::size_t part, std::int64_t claim_offset, std::int32_t error_code, std::string_view remedy);
  void Release(std::size_t part, std::int64_t claim_offset, std::function<void()> next);
  void RetryLater(std::size_t part, std::int64_t claim_offset, const channel::SendAnswer& answer,
                  std::string_view retry_after);
  void FailPart(std::size_t part, std::int64_t claim_offset);
  // Why a part of it failed, as the ledger has it: what a successor knows of its predecessor's decision.
  static bus::DeadLetterReason ReasonGivenUp(const ledger::PlannedTurn& turn);
  void WatchDoubt(const ledger::PlannedTurn& turn, std::size_t part);
  bool SettledByEvidence(const ledger::PlannedTurn& turn);
  void EndDoubt(std::string_view resolution);
  void ParkPart(std::size_t part, std::int64_t claim_offset);
  void Finish(const ledger::PlannedTurn& turn);
  void FinishFailed(const ledger::PlannedTurn& turn);
  void FinishParked();
  void GiveUp(bus::DeadLetterReason reason, std::string detail, bool with_notice);
  void GiveUpTooLarge(const absl::Status& status);
  bool OwesReengagement(const account::Account& account) const;
  bool AsksOnceTooOften() const;
  void WriteNotice(bus::DeadLetterReason reason);
  void ReportOutcome(mesh::session::v1::Outcome outcome);
  void Done();

  // Appends and goes on once the record has been read back; retries for as long as the partition is held.
  void Append(ledger::LedgerEntry entry, std::function<void(std::int64_t offset)> next, int attempt = 1);
  // Runs `write` until it succeeds, then `next`; `too_large` once no retry can heal it.
  struct DurableWrite {
    std::string_view topic;  // without prefix
    std::function<void(Effects::Written)> write;
    std::function<void()> next;
    std::function<void(const absl::Status&)> too_large;
  };
  void WriteDurably(DurableWrite write, int attempt = 1);
  // Runs `task` after `delay`, unless the lane has moved on by then.
  void After(base::Duration delay, std::function<void()> task);
  // Enters a phase; callbacks of what came before it are void.
  std::uint64_t Enter(Phase phase);

  const Item& item() const { return items_.front().item; }
  ledger::TurnKey key() const { return ledger::KeyOf(item().reply); }
  identity::ReplyId ReplyIdOf(std::size_t part) const;
  const ledger::PlannedTurn* planned() const { return ledger().Find(key()); }
  std::shared_ptr<const account::Account> FindAccount() const;
  std::string_view channel_name() const;
  const ledger::LedgerState& ledger() const { return context_.ledger->state(); }
  Effects& effects() const { return *context_.effects; }

  const LaneContext context_;
  const std::function<void()> on_empty_;
  std::deque<Queued> items_;
  Head head_;
  // Of the reply before, while a file is the last that was sent of it.
  struct LastFile {
    ledger::TurnKey key;
    base::MonotonicTime taken_at;
  };
  std::optional<LastFile> last_file_;
  Phase phase_ = Phase::kIdle;
  std::uint64_t step_ = 0;
  bool stopped_ = false;
};

}  // namespace sender
