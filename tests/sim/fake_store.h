#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/session/v1/session.pb.h"

namespace sim {

// What the session service keeps in Redis, by the rules of libs/session/scripts: digests of finished turns, and the
// history, in which the newest generation's lowest offset in `replies` wins and an outcome may come before its turn.
// It may lose everything, or what was written last: correctness must not rest on it.
class FakeStore {
 public:
  struct Turn {
    bool appended = false;  // false: only an outcome has come so far
    std::string text;
    std::int64_t replies_offset = -1;
    std::uint32_t generation = 0;
    mesh::session::v1::Outcome outcome = mesh::session::v1::OUTCOME_UNSPECIFIED;
  };

  bool IsDone(const std::string& turn_id) const;  // finished, or in the history
  void AppendTurn(const std::string& turn_id, const std::string& text, std::int64_t replies_offset,
                  std::uint32_t generation);
  // `replies_offset` < 0: brings no text.
  void SetOutcome(const std::string& turn_id, mesh::session::v1::Outcome outcome, const std::string& text,
                  std::int64_t replies_offset, std::uint32_t generation);

  void Wipe();
  void LoseTail(std::size_t writes);  // the last so many writes: a failover to a replica that was behind
  bool lost_something() const { return lost_something_; }

  const Turn* Find(const std::string& turn_id) const;

 private:
  struct State {
    bool done = false;
    std::optional<Turn> turn;
  };
  State& Write(const std::string& turn_id);

  std::map<std::string, State> states_;
  std::vector<std::pair<std::string, State>> undo_;  // what each write replaced
  bool lost_something_ = false;
};

}  // namespace sim
