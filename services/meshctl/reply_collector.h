#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "libs/identity/identity.h"
#include "proto/bus/v1/bus.pb.h"

namespace meshctl {

// Picks the reply to one turn out of the lines of the fake Graph API's GET /sends.
//
// WhatsApp and Messenger sends carry the reply id, which is computed here for every part: so the reply is found even
// when the message was sent before and answered long ago. Instagram has no field for it; there the trace decides.
class ReplyCollector {
 public:
  ReplyCollector(const mesh::bus::v1::ConversationId& conversation, const identity::TurnId& turn, std::string trace_id);

  void Offer(std::string_view line);  // one line of JSON; what does not belong to the turn is ignored

  bool any() const { return !parts_.empty(); }
  // The parts so far are a reply without gaps whose last part is too short to be followed by another: parts are cut as
  // late as they can be. False may also mean that the reply just happens to end with a long part.
  bool IsSurelyComplete() const;

  std::string Text() const;                                // parts joined by line breaks
  std::int64_t last_ts_ms() const { return last_ts_ms_; }  // when the newest part was accepted

 private:
  // Of what is said about a turn: an answer or a notice of some generation.
  using ReplyKey = std::pair<std::uint32_t, mesh::bus::v1::ReplyKind>;
  struct Place {
    ReplyKey reply;
    std::uint32_t part = 0;
  };

  const mesh::bus::v1::ConversationId conversation_;
  const std::string trace_id_;
  absl::flat_hash_map<std::string, Place> places_;  // by reply id in hex
  std::map<ReplyKey, std::map<std::uint32_t, std::string>> parts_;
  std::int64_t last_ts_ms_ = 0;
};

}  // namespace meshctl
