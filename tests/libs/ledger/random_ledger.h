#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "libs/base/hex.h"
#include "libs/crypto/digest.h"
#include "libs/identity/identity.h"
#include "libs/ledger/ledger_record.h"

namespace ledger {

// Records of one ledger partition in an order that no sender would write: all kinds, about few turns, with ids, terms,
// words and places that clash, so that what is void, late, foreign or said before comes up often.
class RandomLedger {
 public:
  explicit RandomLedger(std::uint64_t seed) : random_(seed) {}

  static mesh::bus::v1::ConversationId Conversation(const std::string& user, const std::string& tenant = "acme") {
    mesh::bus::v1::ConversationId conversation;
    conversation.set_tenant(tenant);
    conversation.set_channel(mesh::bus::v1::CHANNEL_INSTAGRAM);
    conversation.set_account("1001");
    conversation.set_user(user);
    return conversation;
  }

  // What stands at `offset`. REQUIRES: offsets rise, from 1 on.
  LedgerEntry Next(std::int64_t offset) {
    const int kind = Below(20);
    if (kind < 5) return Plan();
    if (kind < 9) return Claim(offset);
    if (kind < 13) return Sent();
    if (kind < 16) return Evidence();
    if (kind < 17) return MakeParkedReply(RandomReply(), Below(3), Below(4), Term(), 0);
    if (kind < 18) return MakeReturned(KeyOf(RandomReply()), Below(4), 0);
    if (kind < 19) {
      const mesh::bus::v1::Reply reply = RandomReply();
      return MakeSupersede(reply.turn_id(), reply.conversation(), mesh::bus::v1::DROP_POLICY_SUPERSEDED, Below(3), 0);
    }
    takeovers_.push_back(offset);
    return MakeTakeover("owner-" + std::to_string(offset), 0);
  }

 private:
  int Below(int end) { return std::uniform_int_distribution<int>(0, end - 1)(random_); }

  mesh::bus::v1::Reply RandomReply() {
    const char name = static_cast<char>('a' + Below(6));
    mesh::bus::v1::Reply reply;
    reply.set_turn_id(std::string(32, name));
    reply.set_generation(Below(4) == 0 ? 1 : 0);
    if (Below(6) == 0) reply.set_kind(mesh::bus::v1::REPLY_KIND_FALLBACK);
    *reply.mutable_conversation() = Conversation(name < 'd' ? "ann" : "bob");
    return reply;
  }
  identity::ReplyId RandomPart() {
    const mesh::bus::v1::Reply reply = RandomReply();
    return identity::MakeReplyId(identity::TurnId(reply.turn_id()), reply.generation(), reply.kind(),
                                 static_cast<std::uint32_t>(Below(2)));
  }
  std::string Words() { return Below(2) == 0 ? "ok" : "yes"; }
  std::string MessageId() { return Below(3) == 0 ? "" : "m" + std::to_string(Below(6)); }
  std::int64_t Term() {
    if (takeovers_.empty()) return 0;
    return Below(4) == 0 ? takeovers_.at(static_cast<std::size_t>(Below(static_cast<int>(takeovers_.size()))))
                         : takeovers_.back();
  }

  LedgerEntry Plan() {
    std::vector<mesh::bus::v1::OutboundPart> parts(static_cast<std::size_t>(Below(8) == 0 ? 0 : 1 + Below(2)));
    for (mesh::bus::v1::OutboundPart& part : parts) part.set_text(Words());
    if (parts.size() == 2 && Below(3) == 0) parts[1].mutable_media()->set_link("https://a.example/b.png");
    return MakePlan(RandomReply(), parts, /*replies_offset=*/Below(3), Term(), 0);
  }
  LedgerEntry Claim(std::int64_t offset) {
    const identity::ReplyId part = RandomPart();
    claims_[part.value()] = offset;
    return MakeClaim(part, Term(), 0, 0);
  }
  LedgerEntry Sent() {
    const identity::ReplyId part = RandomPart();
    const std::int64_t claim = Below(4) == 0 ? 0 : claims_[part.value()];
    switch (Below(6)) {
      case 0:
        return MakeFailed(part, Term(), claim, 100, "send_failed", 0);
      case 1:
        return MakeParked(part, Term(), claim, 0);
      case 2:
        return MakeRelease(part, Term(), claim, 0);
      case 3:
        return MakeSuperseded(part, Term(), 0);
      default:
        return MakeSent(part, Term(), claim, MessageId(), 0);
    }
  }
  LedgerEntry Evidence() {
    static constexpr std::array kStates = {mesh::bus::v1::DELIVERY_STATE_SENT, mesh::bus::v1::DELIVERY_STATE_DELIVERED,
                                           mesh::bus::v1::DELIVERY_STATE_READ, mesh::bus::v1::DELIVERY_STATE_FAILED};
    mesh::bus::v1::DeliveryStatus status;
    status.set_state(kStates.at(static_cast<std::size_t>(Below(4))));
    *status.mutable_conversation() = Conversation(Below(2) == 0 ? "ann" : "bob", Below(8) == 0 ? "other" : "acme");
    status.set_message_id("m" + std::to_string(Below(6)));
    if (Below(2) == 0) status.set_reply_id_hex(base::ToHex(RandomPart().value()));
    if (Below(2) == 0) status.set_text_digest(std::string(crypto::AsBytes(crypto::Sha256(Words()))));
    return MakeEvidence(status, 0);
  }

  std::mt19937_64 random_;
  std::vector<std::int64_t> takeovers_;
  std::map<std::string, std::int64_t> claims_;  // by reply id: the last one's offset
};

}  // namespace ledger
