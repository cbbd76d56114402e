#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libs/crypto/digest.h"
#include "libs/identity/identity.h"
#include "libs/ledger/parked_replies.h"
#include "libs/ledger/turn_key.h"
#include "libs/retention/retention.h"
#include "proto/bus/v1/bus.pb.h"

namespace ledger {

enum class PartState {
  kOpen,     // planned, or its claim was given back: may be claimed
  kClaimed,  // a valid CLAIM stands and nothing settles it
  kSent,
  kFailed,      // certainly not shown, for good
  kSuperseded,  // dropped by a later user message
  kParked,      // in doubt for good, or behind a part that is; only evidence can still say that it was shown
};

// One message of a reply, as the ledger has it.
struct Part {
  identity::ReplyId id;
  mesh::bus::v1::OutboundPart content;  // emptied once the turn is settled
  bool is_file = false;
  // Of the text that an echo of it has; zero for what has none (files, templates): where the echo carries no id of ours
  // either (Instagram), a doubt about such a part is decided by the account's policy.
  crypto::Sha256Digest text_digest{};
  PartState state = PartState::kOpen;
  std::int64_t claim_offset = 0;  // of the standing, or last standing, CLAIM; 0 for none
  std::int64_t claim_term = 0;
  std::uint32_t resends = 0;  // of that CLAIM
  bool failed_alone = false;  // kFailed, and what stands beside it is said all the same
  std::string message_id;     // the platform's, once known
  bool by_evidence = false;   // settled by EVIDENCE, not by a SENT record
  mesh::bus::v1::DeliveryState delivery = mesh::bus::v1::DELIVERY_STATE_UNSPECIFIED;  // the last evidence
};

// Dropped so because the user is to hear nothing: wants no messages, talks to a person, is answered by nobody.
bool MeansSilence(mesh::bus::v1::DropPolicy policy);

// What the ledger says about one reply.
struct PlannedTurn {
  TurnKey key;
  mesh::bus::v1::ReplyKind kind = mesh::bus::v1::REPLY_KIND_ANSWER;
  mesh::bus::v1::ConversationId conversation;
  std::int64_t replies_offset = 0;  // of the record that was planned: the first of its key
  std::int32_t planned_hour = 0;    // LedgerState::AnHourPassed
  std::vector<Part> parts;          // none: the turn was superseded before it was said
  std::string failure_reason;       // of a kFailed part; as DeadLetter.reason

  bool Settled() const;         // no part is open or claimed
  bool ClaimStands() const;     // some part is, or was, claimed and not given back
  bool Superseded() const;      // planned without parts, or some part was dropped by a later user message
  bool GivenUp() const;         // a part failed that the others make no sense without, or all: none is claimed any more
  bool Parked() const;          // some part is parked: no further part may be claimed
  bool NothingArrived() const;  // the platform said of every part that it failed: the user saw none of it
  bool Any(PartState state) const;
  const Part* FirstUnsettled() const;
};

// What one ledger partition says, record by record: the truth of what was planned, claimed and sent there. Pure: the
// same records give the same state to every reader, so owner, successor, observer and tools agree.
//
// Validity of a CLAIM: it names a term, the offset of its writer's TAKEOVER. It is void when any later TAKEOVER stands
// between that offset and the CLAIM. A term whose TAKEOVER has been deleted by retention counts as valid (in doubt),
// the safe side.
// Memory:    turns that are settled keep their texts' digests only; the newest `settled_detail_max` of them stay in
//            full so that statuses find their turn, the others shrink to 20 bytes until they are kHoursKept old.
// Threading: none; confined to one thread.
class LedgerState {
 public:
  explicit LedgerState(std::size_t settled_detail_max);
  LedgerState(const LedgerState&) = delete;
  LedgerState& operator=(const LedgerState&) = delete;

  // What a record changed. `turn` lives until the next Apply.
  struct Change {
    enum class Kind { kNothing, kPlanned, kClaimed, kReleased, kSettled, kEvidence, kTakeover, kParked, kReturned };
    Kind kind = Kind::kNothing;
    const PlannedTurn* turn = nullptr;  // nullptr also of a parked reply that was never planned
    std::size_t part = 0;
    std::int64_t replies_offset = -1;  // kParked, kReturned: of the reply's record
  };
  // REQUIRES: offsets rise. Records that name something unknown (expired, malformed) change nothing.
  Change Apply(std::int64_t offset, const mesh::bus::v1::LedgerRecord& record);

  // Ownership. SetOwner names the TAKEOVER that this process is about to append; the term begins when it is read back.
  void SetOwner(std::string owner);
  std::optional<std::int64_t> term() const { return term_; }
  bool owned() const { return term_.has_value() && last_takeover_ == *term_; }  // no newer TAKEOVER stands

  // What to do with a record of `replies`.
  enum class Verdict {
    kNew,       // never planned: plan it
    kPlanned,   // this very record was planned: go on where the parts stand
    kParked,    // this very record moved to `parked`: it's said from there
    kDuplicate  // another record of the same key was first, or all is long settled: ignore
  };
  Verdict Judge(const TurnKey& key, std::int64_t replies_offset) const;
  // The same of the copy in `parked`, which stands for the record at `replies_offset`: never kParked.
  Verdict JudgeReturned(const TurnKey& key, std::int64_t replies_offset) const;

  // A later user message withdrew the turn: no record of it, in whatever generation, is planned any more.
  bool TurnSuperseded(const std::string& turn_id) const { return superseded_.contains(DigestOfTurn(turn_id)); }
  bool TurnPlanned(const std::string& turn_id) const;  // in any generation

  // Whether the user is to hear nothing of us: behind that record of `replies` a message of the conversation was left
  // unanswered because the user had opted out, a person answers, or the account answers nobody there.
  bool SilentSince(const mesh::bus::v1::ConversationId& conversation, std::int64_t replies_offset) const;
  // A template that was planned within the day before `wall_ms` asked the user to write again, or will.
  bool AskedToWriteAgain(const mesh::bus::v1::ConversationId& conversation, std::int64_t wall_ms) const;

  const ParkedReplies& parked() const { return parked_; }

  const PlannedTurn* Find(const TurnKey& key) const;  // nullptr: unknown, or settled long ago
  const PlannedTurn* FindReply(const identity::ReplyId& reply, std::size_t* part) const;

  // True when the CLAIM at `claim_offset` is ours, stands, and nothing newer overrides it: the POST may go out.
  bool MayPost(const identity::ReplyId& reply, std::int64_t claim_offset) const;

  // The log lets go of a record 8 days after it was written; forgetting it any earlier could send a reply twice. So age
  // is counted in hours since the record was applied here, whatever wall clocks and writers' timestamps say: call once
  // an hour of monotonic time. Forgets what is older, settled or not. O(remembered).
  static constexpr std::int32_t kHoursKept = std::chrono::hours(retention::kLog).count();
  void AnHourPassed();

  std::int64_t next_offset() const { return next_offset_; }                      // one past the last record applied
  const std::deque<TurnKey>& settled_detail() const { return settled_detail_; }  // oldest first; Find knows each
  std::size_t open_count() const { return turns_.size() - settled_detail_.size(); }
  std::size_t settled_count() const { return settled_.size() + settled_detail_.size(); }

 private:
  struct PartPlace {
    PlannedTurn* turn = nullptr;
    std::size_t part = 0;
  };

  Change ApplyPlan(const mesh::bus::v1::LedgerPlan& plan, std::int64_t written_at_ms);
  void AddPart(mesh::bus::v1::OutboundPart content, PlannedTurn& turn);
  Change ApplyClaim(std::int64_t offset, const mesh::bus::v1::LedgerClaim& claim);
  Change ApplySent(const mesh::bus::v1::LedgerSent& sent);
  Change ApplyEvidence(const mesh::bus::v1::LedgerEvidence& evidence);
  Change ApplySupersede(const mesh::bus::v1::LedgerSupersede& supersede);
  Change ApplyTakeover(std::int64_t offset, const mesh::bus::v1::LedgerTakeover& takeover);
  Change ApplyParked(const mesh::bus::v1::LedgerParked& parked);
  Change ApplyReturned(const mesh::bus::v1::LedgerReturned& returned);
  PartPlace PlaceOf(const std::string& reply_id) const;
  PartPlace PlaceOfEvidence(const mesh::bus::v1::LedgerEvidence& evidence) const;
  void SetMessageId(PartPlace place, const std::string& message_id);
  void NoteIfSettled(PlannedTurn& turn, bool was_settled);
  void DropClaims(const PlannedTurn& turn);
  void Erase(const TurnKey& key);

  const std::size_t settled_detail_max_;
  std::string owner_;
  std::optional<std::int64_t> term_;
  std::int64_t last_takeover_ = -1;
  std::int64_t next_offset_ = 0;

  absl::flat_hash_map<TurnKey, std::unique_ptr<PlannedTurn>> turns_;  // open ones, and settled ones in detail
  absl::flat_hash_map<std::string, PartPlace> by_reply_;
  absl::flat_hash_map<std::string, PartPlace> by_message_;  // where a channel's status names only the message
  absl::flat_hash_map<std::string, std::vector<PartPlace>> claimed_by_conversation_;  // claims without a message id yet
  std::deque<TurnKey> settled_detail_;                                                // oldest first
  ParkedReplies parked_;
  std::int32_t hour_ = 0;
  // With the hour in which they were planned or written: settled turns, whole turns that were withdrawn, and turns that
  // were planned in a generation above 0.
  absl::flat_hash_map<TurnDigest, std::int32_t> settled_;
  absl::flat_hash_map<TurnDigest, std::int32_t> superseded_;
  absl::flat_hash_map<TurnDigest, std::int32_t> requeued_;
  // By conversation key, with the hour: the last record of `replies` that silenced it; when a template was planned.
  struct Remembered {
    std::int64_t value = 0;
    std::int32_t hour = 0;
  };
  absl::flat_hash_map<std::string, Remembered> silenced_;        // offset in `replies`
  absl::flat_hash_map<std::string, Remembered> asked_to_write_;  // wall clock in milliseconds
};

}  // namespace ledger
