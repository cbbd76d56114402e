#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "libs/bus/options.h"
#include "libs/bus/record.h"
#include "libs/retention/retention.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"
#include "services/meshctl/ledger_outcomes.h"

namespace meshctl {

// What the log says has become of a user's message.
enum class TurnFate {
  kWaiting,     // the workers have not finished the partition up to it
  kLost,        // they have, and neither reply, nor withdrawal, nor dead letter stands in the log
  kReplied,     // its reply waits for the senders
  kReplyLost,   // they have passed the reply, and neither ledger nor dead letter knows it
  kSending,     // the ledger knows of it, and no end yet: being sent, in doubt, or parked
  kSettled,     // sent or failed
  kDropped,     // withdrawn for a later message
  kDeadLetter,  // given up
  kTakenBack,   // the user unsent it or had the conversation forgotten
};
std::string_view NameOf(TurnFate fate);

struct ReplayedTurn {
  std::string turn_id;  // 32 bytes
  std::string message_id;
  std::uint32_t generation = 0;
  bus::RecordPosition position;  // of its first record in `turns`
  std::int64_t accepted_at_ms = 0;
  TurnFate fate = TurnFate::kWaiting;
  std::string detail;                           // one sentence without message text
  std::optional<bus::OutgoingRecord> put_back;  // what a replay writes; none: nothing is missing, or it is too late
};

// Finds what is missing in the log of one conversation: messages and replies that a service has passed although nothing
// came of them. A replay puts the same bytes back under the same ids, for the next stage only.
//
// Why it can never send again: what has any trace of a next stage, in its own generation or a later one, is not put
// back. Where that trace is written at the same moment, by a retried webhook say, the ids are the same, so that the
// first record in `replies` and the first PLAN in the ledger win as they always do. And what is older than
// kReplayAgeMaxMs stays, because the ledger must outlast it.
//
// REQUIRES: the groups' commits were asked for before the topics are read, and each topic is read before the one that
//           follows it in the order of the methods; so whatever was committed has left its trace in what is read.
// Memory:   the records of one conversation. Threading: none.
class ReplayPlan {
 public:
  static constexpr std::int64_t kReplayAgeMaxMs = std::chrono::milliseconds(retention::kReplay).count();

  struct Passed {  // the first offsets that the groups have not finished; 0: none is finished
    std::int64_t turns = 0;
    std::int64_t replies = 0;
  };
  ReplayPlan(std::string conversation_key, const bus::BusOptions& options, const Passed& passed);

  // Records of other conversations, and those that no service would take, are passed over.
  void OnTurn(const bus::Record& record);
  void OnReply(const bus::Record& record);
  void OnLedger(const bus::Record& record);
  void OnDeadLetter(const bus::Record& record);

  // Messages whose first record was written at or after `from_ms`, in the order of the log.
  std::vector<ReplayedTurn> Judge(std::int64_t from_ms, std::int64_t now_ms) const;

 private:
  using Key = std::pair<std::string, std::uint32_t>;  // turn id and generation
  struct Seen {
    mesh::bus::v1::Turn turn;
    bus::Record first;
    std::vector<std::int64_t> offsets;  // of all its records: a webhook may have been retried
  };
  struct Letter {
    std::string what;  // became of it
    std::string requeue_hint;
  };
  struct Judgement {
    TurnFate fate = TurnFate::kWaiting;
    std::string detail;
  };

  Judgement JudgeOne(const Key& key, const Seen& seen) const;
  const Letter* LetterOf(const Key& key, const Seen& seen) const;  // nullptr: not given up
  bool WasRequeued(const Key& key) const;
  bool TakenBack(const Key& key, const Seen& seen) const;
  void Trace(const std::string& turn_id, std::uint32_t generation);

  const std::string conversation_key_;
  const std::string turns_topic_;
  const std::string replies_topic_;
  const Passed passed_;
  std::map<Key, Seen> turns_;
  std::vector<Key> order_;                             // as the first records stand in the log
  std::map<Key, bus::Record> replies_;                 // the first of each
  absl::flat_hash_set<std::string> superseded_;        // turn ids
  absl::flat_hash_set<std::string> unsent_;            // turn ids
  std::int64_t forgotten_before_ = 0;                  // `turns` offset
  std::map<Key, mesh::session::v1::Outcome> planned_;  // UNSPECIFIED: no end yet
  std::set<Key> parked_;                               // stand in `parked` until their account can send
  LedgerOutcomes outcomes_;
  absl::flat_hash_map<std::string, std::uint32_t> traced_;  // turn id -> newest generation with a reply or plan
  absl::flat_hash_map<std::string, Letter> letters_;        // by the place of their origin
};

}  // namespace meshctl
