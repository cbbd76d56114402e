#include "services/meshctl/history_join.h"

#include <cstring>
#include <utility>

#include "libs/bus/headers.h"
#include "libs/channel/codec.h"
#include "libs/identity/identity.h"
#include "libs/session/user_text.h"

namespace meshctl {
namespace {

using mesh::bus::v1::Turn;

constexpr std::size_t kTurnIdBytes = 32;
constexpr std::string_view kUnsentText = "[The user withdrew this message]";
// Of one entry, beyond its texts: the maps' nodes and the protobuf.
constexpr std::size_t kEntryBytes = 600;

// Decodes what a worker would have taken; others ended as dead letters.
std::optional<Turn> DecodeTurn(const bus::Record& record) {
  Turn turn;
  if (!turn.ParseFromString(record.value) || turn.turn_id().size() != kTurnIdBytes) return std::nullopt;
  if (identity::KeyOf(turn.conversation()).value() != record.key) return std::nullopt;
  return turn;
}

// The message that the user took back; empty when the event is none. WhatsApp: revoke; Messenger and Instagram:
// is_deleted.
std::string_view UnsentMessage(const Turn& turn) {
  if (turn.kind() != mesh::bus::v1::TURN_KIND_EVENT) return {};
  if (turn.type() != "revoke" && turn.type() != "is_deleted") return {};
  return turn.reply_to_message_id();
}

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
  const std::optional<Turn> turn = DecodeTurn(record);
  if (!turn) return;
  if (turn->kind() == mesh::bus::v1::TURN_KIND_FORGET) {
    deletions_[record.key] = {turn->conversation(), record.offset, record.timestamp_ms};
  } else if (const std::string_view message = UnsentMessage(*turn); !message.empty()) {
    unsent_.insert(identity::MakeTurnId(turn->conversation(), message).value());
  }
}

void HistoryJoin::OnTurn(const bus::Record& record) {
  const std::optional<Turn> turn = DecodeTurn(record);
  if (!turn) return;
  if (turn->kind() != mesh::bus::v1::TURN_KIND_MESSAGE && turn->kind() != mesh::bus::v1::TURN_KIND_POSTBACK) return;
  const std::uint32_t generation = bus::GenerationOf(record.headers);
  Key key = KeyOf(turn->turn_id(), generation);
  if (waiting_.contains(key)) return;  // a webhook that was retried: the first one is answered

  Waiting waiting;
  *waiting.request.mutable_conversation() = turn->conversation();
  auto* stored = waiting.request.mutable_turn();
  stored->set_turn_id(turn->turn_id());
  stored->set_generation(generation);
  stored->set_turns_offset(record.offset);
  stored->set_accepted_at_ms(turn->accepted_at_ms());
  const auto deleted = deletions_.find(record.key);
  if (deleted == deletions_.end() || record.offset > deleted->second.turns_offset) {
    const bool unsent = unsent_.contains(turn->turn_id());
    stored->set_user_text(unsent ? std::string(kUnsentText) : session::UserText(*turn));
    stored->set_user_tokens(EstimatedTokens(stored->user_text()));
  }
  waiting.bytes = kEntryBytes + stored->user_text().size();
  bytes_ += waiting.bytes;
  by_age_.push_back(key);
  waiting_.emplace(std::move(key), std::move(waiting));
  MakeRoom();
}

std::optional<HistoryJoin::Call> HistoryJoin::OnReply(const bus::Record& record) {
  mesh::bus::v1::ReplyRecord decoded;
  if (!decoded.ParseFromString(record.value)) return std::nullopt;
  if (decoded.has_supersede()) return OnSupersede(record, decoded.supersede());
  if (!decoded.has_reply()) return std::nullopt;
  const mesh::bus::v1::Reply& reply = decoded.reply();
  if (reply.turn_id().size() != kTurnIdBytes || identity::KeyOf(reply.conversation()).value() != record.key) {
    return std::nullopt;
  }
  // Stands beside the reply that could not be sent, which is the turn's.
  if (reply.kind() == mesh::bus::v1::REPLY_KIND_FALLBACK) return std::nullopt;
  const auto deleted = deletions_.find(record.key);
  if (std::optional<mesh::session::v1::AppendTurnRequest> found =
          Take(reply.turn_id(), reply.generation(), record.offset)) {
    mesh::session::v1::AppendTurnRequest request = *std::move(found);
    auto* turn = request.mutable_turn();
    // Deleted: the call only makes it known as finished, so that a retried webhook is not answered again.
    if (deleted == deletions_.end() || turn->turns_offset() > deleted->second.turns_offset) {
      turn->set_reply_text(reply.text());
      turn->set_reply_tokens(EstimatedTokens(reply.text()));
    }
    // Web and API clients read the relay: there is no send that could tell more.
    if (channel::FindCodec(reply.conversation().channel()) == nullptr) {
      turn->set_outcome(mesh::session::v1::OUTCOME_SENT);
    }
    return request;
  }
  if (gone_.contains(Prefix(reply.turn_id()))) {
    ++unjoined_;
    return std::nullopt;
  }
  // A reply that was requeued has no turn record of its own.
  if (reply.generation() == 0) return std::nullopt;
  if (deleted != deletions_.end() && record.timestamp_ms <= deleted->second.at_ms) return std::nullopt;
  mesh::session::v1::SetOutcomeRequest request;
  *request.mutable_conversation() = reply.conversation();
  request.set_turn_id(reply.turn_id());
  request.set_generation(reply.generation());
  request.set_reply_text(reply.text());
  request.set_reply_tokens(reply.completion_tokens());
  request.set_replies_offset(record.offset);
  return request;
}

std::optional<HistoryJoin::Call> HistoryJoin::OnSupersede(const bus::Record& record,
                                                          const mesh::bus::v1::Supersede& supersede) {
  if (identity::KeyOf(supersede.conversation()).value() != record.key) return std::nullopt;
  std::optional<mesh::session::v1::AppendTurnRequest> request =
      Take(supersede.turn_id(), /*generation=*/0, record.offset);
  if (request) return *std::move(request);
  if (supersede.turn_id().size() == kTurnIdBytes && gone_.contains(Prefix(supersede.turn_id()))) ++unjoined_;
  return std::nullopt;
}

std::optional<mesh::session::v1::AppendTurnRequest> HistoryJoin::Take(const std::string& turn_id,
                                                                      std::uint32_t generation,
                                                                      std::int64_t replies_offset) {
  const auto found = waiting_.find(KeyOf(turn_id, generation));
  if (found == waiting_.end()) return std::nullopt;
  mesh::session::v1::AppendTurnRequest request = std::move(found->second.request);
  bytes_ -= found->second.bytes;
  waiting_.erase(found);
  request.mutable_turn()->set_replies_offset(replies_offset);
  return request;
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
