#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "libs/base/hex.h"
#include "libs/bus/record.h"
#include "libs/identity/identity.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

namespace meshctl {

// One thing that happened to a message.
struct TimelineEntry {
  std::int64_t at_ms = 0;  // the writer's wall clock
  std::string where;       // "mesh.turns/3/120", "session"
  std::string what;        // one sentence without message text
};

// Collects the records about one message, from the user's words to the last status of the reply. Feed the topics in the
// order of the methods: each finds its records by what the earlier ones told.
class Timeline {
 public:
  // `message`: the channel's id of the user's message, or the turn's in hex, by which logs name it.
  explicit Timeline(const std::string& message) : message_(message), wanted_turn_id_(base::FromHex(message)) {}

  void OnTurn(const bus::Record& record);
  void OnReply(const bus::Record& record);  // `replies` and `parked`
  void OnLedger(const bus::Record& record);
  void OnStatus(const bus::Record& record);
  void OnDeadLetter(const bus::Record& record);
  void OnSession(const mesh::session::v1::GetSessionResponse& session);

  // Whose message it is; unset until its turn was seen. A turn may be in the log several times (retried webhooks).
  const std::optional<mesh::bus::v1::ConversationId>& conversation() const { return conversation_; }
  const std::string& message_id() const { return message_id_; }
  const std::string& trace_id() const { return trace_id_; }
  std::string turn_id_hex() const;

  // By time, and in the order of the methods for equal times.
  std::vector<TimelineEntry> Sorted() const;

 private:
  void Add(const bus::Record& record, std::int64_t at_ms, std::string what);
  // Dead letters and parked replies are written at least once; copies have the same id.
  bool IsCopy(const bus::Record& record);
  // Whether that helps is known when everything is read.
  struct Letter {
    std::size_t entry = 0;  // its place in entries_
    std::uint32_t generation = 0;
    bool is_reply = false;
    std::string requeue_hint;
  };
  bool MayHelpToRequeue(const Letter& letter) const;

  const std::string message_;
  const std::optional<std::string> wanted_turn_id_;
  std::string message_id_;
  std::optional<mesh::bus::v1::ConversationId> conversation_;
  std::string turn_id_;
  std::string trace_id_;
  int turn_records_ = 0;
  absl::flat_hash_set<std::string> replies_seen_;      // topic, generation and kind: only the first of each counts
  absl::flat_hash_set<std::string> reply_ids_;         // raw bytes
  absl::flat_hash_set<std::string> sent_message_ids_;  // the platform's ids of our messages
  absl::flat_hash_set<std::string> copies_seen_;       // topic and id of what is written at least once
  bool was_taken_back_ = false;
  std::uint32_t newest_generation_ = 0;            // of its turn records and replies
  mesh::session::v1::GetSessionResponse session_;  // empty when nobody could say
  std::vector<TimelineEntry> entries_;
  std::vector<Letter> letters_;
};

}  // namespace meshctl
