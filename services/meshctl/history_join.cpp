#include "services/meshctl/history_join.h"

#include <cstring>
#include <utility>

#include "libs/bus/headers.h"
#include "libs/channel/codec.h"
#include "libs/channel/identity_change.h"
#include "libs/records/reply_record.h"
#include "libs/records/turn_record.h"
#include "libs/session/user_text.h"
#include "services/meshctl/log_records.h"

namespace meshctl {
namespace {

using mesh::bus::v1::Turn;
using mesh::session::v1::AppendTurnRequest;

// Of one entry, beyond its texts: the maps' nodes and the protobuf.
constexpr std::size_t kEntryBytes = 600;

// Without the model's tokenizer: about three bytes a token, and what a chat template puts around a message.
std::int32_t EstimatedTokens(std::string_view text) { return static_cast<std::int32_t>((text.size() + 2) / 3 + 8); }

std::uint64_t Prefix(std::string_view id) {
  std::uint64_t prefix = 0;
  std::memcpy(&prefix, id.data(), sizeof(prefix));
  return prefix;
}

}  // namespace

HistoryJoin::Key HistoryJoin::KeyOf(const std::string& turn_id, std::uint32_t generation) {
  return turn_id + std::to_string(generation);
}

void HistoryJoin::Learn(const bus::Record& record) {
  const auto turn = records::DecodeTurn(record);
  if (!turn.ok()) return;
  if (turn->kind() == mesh::bus::v1::TURN_KIND_FORGET) {
    deletions_[record.key] = {turn->conversation(), record.offset, record.timestamp_ms};
  } else if (const std::optional<std::string> unsent = UnsentTurnId(*turn)) {
    if (!unsent_.insert(*unsent).second) return;
    mesh::session::v1::UnsendRequest& unsend = unsends_[record.key].emplace_back();
    *unsend.mutable_conversation() = turn->conversation();
    unsend.set_turn_id(*unsent);
  } else if (const auto change = channel::FindIdentityChange(*turn)) {
    mesh::session::v1::LinkIdentityRequest link;
    *link.mutable_old_conversation() = change->old_conversation;
    *link.mutable_new_conversation() = change->new_conversation;
    link.set_changed_at_ms(change->changed_at_ms);
    links_.push_back(std::move(link));
  }
}

std::optional<HistoryJoin::Call> HistoryJoin::OnTurn(const bus::Record& record) {
  const auto turn = records::DecodeTurn(record);
  if (!turn.ok()) return std::nullopt;
  Key key = KeyOf(turn->turn_id(), bus::GenerationOf(record.headers));
  std::optional<Call> control = OnControl(record, *turn, key);
  if (WantsAnswer(*turn)) Await(record, *turn, std::move(key));
  return control;
}

// Of a webhook that was retried the first record counts.
std::optional<HistoryJoin::Call> HistoryJoin::OnControl(const bus::Record& record, const Turn& turn, const Key& key) {
  const bool may_control = turn.kind() == mesh::bus::v1::TURN_KIND_CONTROL || WantsAnswer(turn);
  if (!may_control || turn.control() == mesh::bus::v1::CONTROL_ACTION_UNSPECIFIED) return std::nullopt;
  if (!controlled_.insert(key).second) return std::nullopt;
  mesh::session::v1::SetControlRequest request;
  *request.mutable_conversation() = turn.conversation();
  request.set_action(turn.control());
  request.set_turns_offset(record.offset);
  // A message is known as finished by its reply.
  if (turn.kind() == mesh::bus::v1::TURN_KIND_CONTROL) request.set_turn_id(turn.turn_id());
  return request;
}

void HistoryJoin::Await(const bus::Record& record, const Turn& turn, Key key) {
  if (waiting_.contains(key)) return;  // a webhook that was retried: the first one is answered

  Waiting waiting;
  *waiting.request.mutable_conversation() = turn.conversation();
  auto* stored = waiting.request.mutable_turn();
  stored->set_turn_id(turn.turn_id());
  stored->set_generation(bus::GenerationOf(record.headers));
  stored->set_turns_offset(record.offset);
  stored->set_accepted_at_ms(turn.accepted_at_ms());
  if (MayTell(record.key, record.offset, turn.turn_id())) {
    stored->set_user_text(session::UserText(turn));
    stored->set_user_tokens(EstimatedTokens(stored->user_text()));
  }
  waiting.bytes = kEntryBytes + stored->user_text().size();
  bytes_ += waiting.bytes;
  by_age_.push_back(key);
  waiting_.emplace(std::move(key), std::move(waiting));
  MakeRoom();
}

std::optional<HistoryJoin::Call> HistoryJoin::OnReply(const bus::Record& record) {
  const auto decoded = records::DecodeReply(record);
  if (!decoded.ok()) return std::nullopt;
  if (decoded->has_supersede()) return OnSupersede(record, decoded->supersede());
  const mesh::bus::v1::Reply& reply = decoded->reply();
  // Stands beside the reply that could not be sent, which is the turn's.
  if (reply.kind() == mesh::bus::v1::REPLY_KIND_FALLBACK) return std::nullopt;
  if (std::optional<AppendTurnRequest> request = TakeWaiting(record, reply.turn_id(), reply.generation())) {
    auto* turn = request->mutable_turn();
    if (MayTell(record.key, turn->turns_offset(), turn->turn_id())) {
      turn->set_reply_text(session::HistoryText(session::WrittenText(reply)));
      turn->set_reply_tokens(EstimatedTokens(session::WrittenText(reply)));
    }
    // The ledger never hears of it: the sender refuses what no channel takes.
    if (channel::FindCodec(reply.conversation().channel()) == nullptr) {
      turn->set_outcome(mesh::session::v1::OUTCOME_FAILED);
    }
    return *std::move(request);
  }
  // A reply that was requeued has no turn record of its own.
  if (reply.generation() == 0 || gone_.contains(Prefix(reply.turn_id()))) return std::nullopt;
  const auto deleted = deletions_.find(record.key);
  if (deleted != deletions_.end() && record.timestamp_ms <= deleted->second.at_ms) return std::nullopt;
  mesh::session::v1::SetOutcomeRequest request;
  *request.mutable_conversation() = reply.conversation();
  request.set_turn_id(reply.turn_id());
  request.set_generation(reply.generation());
  request.set_reply_text(session::HistoryText(session::WrittenText(reply)));
  request.set_reply_tokens(reply.completion_tokens());
  request.set_replies_offset(record.offset);
  return request;
}

// Nothing is said to the turn, and later ones are answered in knowledge of its words. Where a reply stands before this
// record the turn does not wait any more, and the ledger tells which of the two came in time.
std::optional<HistoryJoin::Call> HistoryJoin::OnSupersede(const bus::Record& record,
                                                          const mesh::bus::v1::Supersede& supersede) {
  std::optional<AppendTurnRequest> request = TakeWaiting(record, supersede.turn_id(), /*generation=*/0);
  if (!request) return std::nullopt;
  if (channel::FindCodec(supersede.conversation().channel()) == nullptr) {
    request->mutable_turn()->set_outcome(mesh::session::v1::OUTCOME_SUPERSEDED);
  }
  return *std::move(request);
}

std::optional<mesh::session::v1::AppendTurnRequest> HistoryJoin::TakeWaiting(const bus::Record& record,
                                                                             const std::string& turn_id,
                                                                             std::uint32_t generation) {
  const auto found = waiting_.find(KeyOf(turn_id, generation));
  if (found == waiting_.end()) {
    if (gone_.contains(Prefix(turn_id))) ++unjoined_;
    return std::nullopt;
  }
  AppendTurnRequest request = std::move(found->second.request);
  bytes_ -= found->second.bytes;
  waiting_.erase(found);
  request.mutable_turn()->set_replies_offset(record.offset);
  return request;
}

// Not what was deleted or unsent: then the call makes the turn known as finished, so that a retried webhook is not
// answered again, and brings no words.
bool HistoryJoin::MayTell(const std::string& key, std::int64_t turns_offset, const std::string& turn_id) const {
  const auto deleted = deletions_.find(key);
  const bool is_deleted = deleted != deletions_.end() && turns_offset <= deleted->second.turns_offset;
  return !is_deleted && !unsent_.contains(turn_id);
}

void HistoryJoin::MakeRoom() {
  while (!by_age_.empty() && (bytes_ > bytes_max_ || !waiting_.contains(by_age_.front()))) {
    const auto oldest = waiting_.find(by_age_.front());
    if (oldest != waiting_.end()) {
      bytes_ -= oldest->second.bytes;
      gone_.insert(Prefix(oldest->first));
      waiting_.erase(oldest);
    }
    by_age_.pop_front();
  }
}

}  // namespace meshctl
