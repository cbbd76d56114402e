#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "libs/bus/record.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

namespace meshctl {

// What one partition of `turns` and `replies` says was said, as the calls that bring it back to session. Pure.
//
// Two passes: Learn takes all of `turns` for what was deleted or unsent, because that stands behind what it deletes,
// and for identities that changed. Then OnTurn and OnReply take both topics side by side, each in order, turns a little
// ahead: a turn waits here for its reply, or for the record that withdraws it, as one that was merged into a later
// message. It does not matter which of several replies of a turn comes here, session keeps the first.
//
// Memory: turns that wait, at most `bytes_max`; most of them were never to be answered. The oldest go first, and a
// reply
//         that then finds its turn gone is counted in unjoined().
// Threading: none.
class HistoryJoin {
 public:
  explicit HistoryJoin(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // First pass.
  void Learn(const bus::Record& turn);
  struct Deletion {
    mesh::bus::v1::ConversationId conversation;
    std::int64_t turns_offset = 0;  // what stands before it is deleted
    std::int64_t at_ms = 0;
  };
  const std::map<std::string, Deletion>& deletions() const { return deletions_; }  // by record key; the last of each
  const std::vector<mesh::session::v1::LinkIdentityRequest>& links() const { return links_; }  // in the log's order
  using Unsends = std::map<std::string, std::vector<mesh::session::v1::UnsendRequest>>;
  const Unsends& unsends() const { return unsends_; }  // by record key

  // Second pass.
  using Call = std::variant<mesh::session::v1::AppendTurnRequest, mesh::session::v1::SetOutcomeRequest,
                            mesh::session::v1::SetControlRequest>;
  std::optional<Call> OnTurn(const bus::Record& record);   // who answers from here on, where it says so
  std::optional<Call> OnReply(const bus::Record& record);  // any record of `replies`

  std::size_t waiting() const { return waiting_.size(); }
  std::int64_t unjoined() const { return unjoined_; }  // replies whose turn had to go; a larger bytes_max mends it

 private:
  using Key = std::string;  // turn id and generation
  struct Waiting {
    mesh::session::v1::AppendTurnRequest request;  // all but the reply
    std::size_t bytes = 0;
  };
  static Key KeyOf(const std::string& turn_id, std::uint32_t generation);
  std::optional<Call> OnSupersede(const bus::Record& record, const mesh::bus::v1::Supersede& supersede);
  // The turn that waits, with the offset of `record`, which ends its wait.
  std::optional<mesh::session::v1::AppendTurnRequest> TakeWaiting(const bus::Record& record, const std::string& turn_id,
                                                                  std::uint32_t generation);
  std::optional<Call> OnControl(const bus::Record& record, const mesh::bus::v1::Turn& turn, const Key& key);
  void Await(const bus::Record& record, const mesh::bus::v1::Turn& turn, Key key);
  bool MayTell(const std::string& key, std::int64_t turns_offset, const std::string& turn_id) const;
  void MakeRoom();

  const std::size_t bytes_max_;
  std::map<std::string, Deletion> deletions_;
  absl::flat_hash_set<std::string> unsent_;  // turn ids
  Unsends unsends_;
  absl::flat_hash_set<Key> controlled_;  // what has told who answers
  std::vector<mesh::session::v1::LinkIdentityRequest> links_;

  absl::flat_hash_map<Key, Waiting> waiting_;
  std::deque<Key> by_age_;  // of waiting_, and some that have left it
  std::size_t bytes_ = 0;
  absl::flat_hash_set<std::uint64_t> gone_;  // first bytes of the ids that had to go
  std::int64_t unjoined_ = 0;
};

}  // namespace meshctl
