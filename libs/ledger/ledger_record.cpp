#include "libs/ledger/ledger_record.h"

#include <algorithm>

#include "libs/base/byte_key.h"
#include "libs/base/hex.h"
#include "libs/crypto/digest.h"

namespace ledger {
namespace {

using mesh::bus::v1::LedgerSent;

constexpr std::size_t kReplyIdBytes = 32;

std::string Number(std::int64_t number) { return std::to_string(number); }

std::string ClaimKey(const identity::ReplyId& reply, std::int64_t term) {
  return base::JoinLengthPrefixed({"claim", reply.value(), Number(term)});
}

LedgerEntry SentEntry(const identity::ReplyId& reply, std::int64_t term, LedgerSent::Outcome outcome,
                      std::int64_t wall_ms) {
  LedgerEntry entry;
  entry.key = base::JoinLengthPrefixed({"sent", reply.value(), Number(term)});
  entry.record.mutable_sent()->set_reply_id(reply.value());
  entry.record.mutable_sent()->set_outcome(outcome);
  entry.record.mutable_sent()->set_sent_at_ms(wall_ms);
  entry.record.set_written_at_ms(wall_ms);
  return entry;
}

}  // namespace

TurnDigest DigestOf(const TurnKey& key) {
  const crypto::Sha256Digest whole =
      crypto::Sha256(base::JoinLengthPrefixed({key.turn_id, Number(key.generation), Number(key.fallback ? 1 : 0)}));
  TurnDigest digest;
  std::copy_n(whole.begin(), digest.size(), digest.begin());
  return digest;
}

TurnDigest DigestOfTurn(const std::string& turn_id) {
  TurnDigest digest{};  // a turn id is a hash already
  std::copy_n(turn_id.begin(), std::min(turn_id.size(), digest.size()), digest.begin());
  return digest;
}

LedgerEntry MakePlan(const mesh::bus::v1::Reply& reply, const std::vector<mesh::bus::v1::OutboundPart>& parts,
                     std::int64_t replies_offset, std::int64_t term, std::int64_t wall_ms) {
  LedgerEntry entry;
  entry.key = base::JoinLengthPrefixed({"plan", reply.turn_id(), Number(reply.generation()),
                                        Number(static_cast<std::int64_t>(reply.kind())), Number(term)});
  auto* plan = entry.record.mutable_plan();
  plan->set_turn_id(reply.turn_id());
  plan->set_generation(reply.generation());
  plan->set_kind(reply.kind());
  *plan->mutable_conversation() = reply.conversation();
  for (const mesh::bus::v1::OutboundPart& part : parts) {
    if (part.has_text() && plan->rich_parts().empty()) {
      plan->add_parts(part.text());
    } else {
      *plan->add_rich_parts() = part;
    }
  }
  plan->set_replies_offset(replies_offset);
  entry.record.set_written_at_ms(wall_ms);
  return entry;
}

LedgerEntry MakeClaim(const identity::ReplyId& reply, std::int64_t term, std::uint32_t resends, std::int64_t wall_ms) {
  LedgerEntry entry;
  entry.key = ClaimKey(reply, term);
  auto* claim = entry.record.mutable_claim();
  claim->set_reply_id(reply.value());
  claim->set_term(term);
  claim->set_resends(resends);
  entry.record.set_written_at_ms(wall_ms);
  return entry;
}

LedgerEntry MakeRelease(const identity::ReplyId& reply, std::int64_t term, std::int64_t claim_offset,
                        std::int64_t wall_ms) {
  LedgerEntry entry = SentEntry(reply, term, LedgerSent::OUTCOME_RELEASED, wall_ms);
  entry.key = ClaimKey(reply, term);
  entry.record.mutable_sent()->set_claim_offset(claim_offset);
  return entry;
}

LedgerEntry MakeSent(const identity::ReplyId& reply, std::int64_t term, std::int64_t claim_offset,
                     std::string_view message_id, std::int64_t wall_ms) {
  LedgerEntry entry = SentEntry(reply, term, LedgerSent::OUTCOME_SENT, wall_ms);
  entry.record.mutable_sent()->set_claim_offset(claim_offset);
  entry.record.mutable_sent()->set_message_id(std::string(message_id));
  return entry;
}

LedgerEntry MakeFailed(const identity::ReplyId& reply, std::int64_t term, std::int64_t claim_offset,
                       std::int32_t error_code, std::string_view reason, std::int64_t wall_ms) {
  LedgerEntry entry = SentEntry(reply, term, LedgerSent::OUTCOME_FAILED, wall_ms);
  entry.record.mutable_sent()->set_claim_offset(claim_offset);
  entry.record.mutable_sent()->set_error_code(error_code);
  entry.record.mutable_sent()->set_reason(std::string(reason));
  return entry;
}

LedgerEntry MakeParked(const identity::ReplyId& reply, std::int64_t term, std::int64_t claim_offset,
                       std::int64_t wall_ms) {
  LedgerEntry entry = SentEntry(reply, term, LedgerSent::OUTCOME_PARKED, wall_ms);
  entry.record.mutable_sent()->set_claim_offset(claim_offset);
  return entry;
}

LedgerEntry MakeSuperseded(const identity::ReplyId& reply, std::int64_t term, std::int64_t wall_ms) {
  return SentEntry(reply, term, LedgerSent::OUTCOME_SUPERSEDED, wall_ms);
}

LedgerEntry MakeSupersede(const std::string& turn_id, const mesh::bus::v1::ConversationId& conversation,
                          mesh::bus::v1::DropPolicy policy, std::int64_t replies_offset, std::int64_t wall_ms) {
  LedgerEntry entry;
  entry.key = base::JoinLengthPrefixed({"supersede", turn_id});
  entry.record.mutable_supersede()->set_turn_id(turn_id);
  *entry.record.mutable_supersede()->mutable_conversation() = conversation;
  entry.record.mutable_supersede()->set_replies_offset(replies_offset);
  entry.record.mutable_supersede()->set_policy(policy);
  entry.record.set_written_at_ms(wall_ms);
  return entry;
}

LedgerEntry MakeParkedReply(const mesh::bus::v1::Reply& reply, std::int64_t replies_offset, std::int64_t parked_offset,
                            std::int64_t term, std::int64_t wall_ms) {
  LedgerEntry entry;
  const TurnKey key = KeyOf(reply);
  entry.key = base::JoinLengthPrefixed(
      {"parked", key.turn_id, Number(key.generation), Number(key.fallback ? 1 : 0), Number(term)});
  auto* parked = entry.record.mutable_parked();
  parked->set_turn_id(reply.turn_id());
  parked->set_generation(reply.generation());
  parked->set_kind(reply.kind());
  *parked->mutable_conversation() = reply.conversation();
  parked->set_replies_offset(replies_offset);
  parked->set_parked_offset(parked_offset);
  parked->set_term(term);
  parked->set_user_spoke_at_ms(reply.user_spoke_at_ms());
  entry.record.set_written_at_ms(wall_ms);
  return entry;
}

LedgerEntry MakeReturned(const TurnKey& key, std::int64_t parked_offset, std::int64_t wall_ms) {
  LedgerEntry entry;
  entry.key = base::JoinLengthPrefixed({"returned", key.turn_id, Number(key.generation), Number(key.fallback ? 1 : 0)});
  auto* returned = entry.record.mutable_returned();
  returned->set_turn_id(key.turn_id);
  returned->set_generation(key.generation);
  returned->set_kind(key.fallback ? mesh::bus::v1::REPLY_KIND_FALLBACK : mesh::bus::v1::REPLY_KIND_ANSWER);
  returned->set_parked_offset(parked_offset);
  entry.record.set_written_at_ms(wall_ms);
  return entry;
}

LedgerEntry MakeTakeover(std::string_view owner, std::int64_t wall_ms) {
  LedgerEntry entry;
  entry.key = base::JoinLengthPrefixed({"takeover", owner});
  entry.record.mutable_takeover()->set_owner(std::string(owner));
  entry.record.set_written_at_ms(wall_ms);
  return entry;
}

LedgerEntry MakeEvidence(const mesh::bus::v1::DeliveryStatus& status, std::int64_t wall_ms) {
  LedgerEntry entry;
  const std::string reply_id = base::FromHex(status.reply_id_hex()).value_or("");
  const bool names_reply = reply_id.size() == kReplyIdBytes;
  if (!names_reply && status.message_id().empty() && status.text_digest().empty()) return entry;
  auto* evidence = entry.record.mutable_evidence();
  evidence->set_message_id(status.message_id());
  evidence->set_state(status.state());
  if (status.has_conversation()) *evidence->mutable_conversation() = status.conversation();
  if (names_reply) {
    evidence->set_reply_id(reply_id);
    entry.key = base::JoinLengthPrefixed({"evidence", reply_id});
  } else {
    evidence->set_text_digest(status.text_digest());
    entry.key = base::JoinLengthPrefixed(
        {"evidence", identity::KeyOf(status.conversation()).value(), status.message_id(), status.text_digest()});
  }
  entry.record.set_written_at_ms(wall_ms);
  return entry;
}

}  // namespace ledger
