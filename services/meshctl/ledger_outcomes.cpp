#include "services/meshctl/ledger_outcomes.h"

#include <algorithm>
#include <utility>

#include "libs/crypto/digest.h"
#include "libs/identity/identity.h"

namespace meshctl {

using mesh::bus::v1::LedgerRecord;
using mesh::bus::v1::LedgerSent;
using mesh::session::v1::Outcome;

namespace {

// The text in the platform's echo of a part; files have none.
const std::string& EchoTextOf(const mesh::bus::v1::OutboundPart& part) {
  return part.has_choices() ? part.choices().text() : part.text();
}

}  // namespace

LedgerOutcomes::Report LedgerOutcomes::Apply(std::int64_t offset, const LedgerRecord& record) {
  switch (record.body_case()) {
    case LedgerRecord::kPlan:
      return ApplyPlan(record.plan());
    case LedgerRecord::kClaim:
      ApplyClaim(offset, record.claim());
      return std::nullopt;
    case LedgerRecord::kSent:
      return ApplySent(record.sent());
    case LedgerRecord::kEvidence:
      return ApplyEvidence(record.evidence());
    case LedgerRecord::kTakeover:
      last_takeover_ = offset;
      return std::nullopt;
    case LedgerRecord::kSupersede:
      return ApplySupersede(record.supersede());
    case LedgerRecord::kParked:  // where a reply waits decides nothing
    case LedgerRecord::kReturned:
    case LedgerRecord::BODY_NOT_SET:
      break;
  }
  return std::nullopt;
}

std::string LedgerOutcomes::KeyOf(const std::string& turn_id, std::uint32_t generation, bool fallback) {
  return turn_id + std::to_string(generation) + (fallback ? "f" : "");
}

// Of a turn that was withdrawn before any reply of it was planned; what was planned tells its own end.
LedgerOutcomes::Report LedgerOutcomes::ApplySupersede(const mesh::bus::v1::LedgerSupersede& supersede) const {
  if (turns_.contains(KeyOf(supersede.turn_id(), 0, /*fallback=*/false))) return std::nullopt;
  mesh::session::v1::SetOutcomeRequest report;
  *report.mutable_conversation() = supersede.conversation();
  report.set_turn_id(supersede.turn_id());
  report.set_outcome(mesh::session::v1::OUTCOME_SUPERSEDED);
  return report;
}

// The first PLAN of a key stands. One without parts: the turn was superseded before it was said.
LedgerOutcomes::Report LedgerOutcomes::ApplyPlan(const mesh::bus::v1::LedgerPlan& plan) {
  const bool fallback = plan.kind() == mesh::bus::v1::REPLY_KIND_FALLBACK;
  std::string key = KeyOf(plan.turn_id(), plan.generation(), fallback);
  if (turns_.contains(key)) return std::nullopt;
  auto turn = std::make_unique<Planned>();
  *turn->report.mutable_conversation() = plan.conversation();
  turn->report.set_turn_id(plan.turn_id());
  turn->report.set_generation(plan.generation());
  turn->conversation_key = identity::KeyOf(plan.conversation()).value();
  turn->fallback = fallback;
  for (int index = 0; index < plan.parts_size() + plan.rich_parts_size(); ++index) {
    Part part;
    part.reply_id = identity::MakeReplyId(identity::TurnId(plan.turn_id()), plan.generation(), plan.kind(),
                                          static_cast<std::uint32_t>(index))
                        .value();
    const std::string& text =
        index < plan.parts_size() ? plan.parts(index) : EchoTextOf(plan.rich_parts(index - plan.parts_size()));
    if (!text.empty()) part.text_digest = std::string(crypto::AsBytes(crypto::Sha256(text)));
    by_reply_[part.reply_id] = {turn.get(), static_cast<std::size_t>(index)};
    turn->parts.push_back(std::move(part));
  }
  Planned& stored = *turn;
  by_age_.push_back(key);
  turns_.emplace(std::move(key), std::move(turn));
  DropOldest();
  return ReportOf(stored);
}

void LedgerOutcomes::ApplyClaim(std::int64_t offset, const mesh::bus::v1::LedgerClaim& claim) {
  const Place place = PlaceOf(claim.reply_id());
  if (place.turn == nullptr || last_takeover_ > claim.term()) return;  // void: its writer was not the owner any more
  Part& part = place.turn->parts[place.part];
  if (part.state != State::kOpen && part.state != State::kClaimed) return;
  if (part.state == State::kOpen) claimed_[place.turn->conversation_key].push_back(place);
  part.state = State::kClaimed;
  part.claim_offset = offset;
}

LedgerOutcomes::Report LedgerOutcomes::ApplySent(const LedgerSent& sent) {
  const Place place = PlaceOf(sent.reply_id());
  if (place.turn == nullptr) return std::nullopt;
  Part& part = place.turn->parts[place.part];
  const bool names_claim = part.state == State::kClaimed && part.claim_offset == sent.claim_offset();
  State next = part.state;
  switch (sent.outcome()) {
    case LedgerSent::OUTCOME_SENT:
      next = State::kSent;  // whoever says it, the user saw it
      break;
    case LedgerSent::OUTCOME_FAILED:
      if (names_claim || (part.state == State::kOpen && sent.claim_offset() == 0)) next = State::kFailed;
      break;
    case LedgerSent::OUTCOME_SUPERSEDED:
      if (part.state == State::kOpen) next = State::kSuperseded;
      break;
    case LedgerSent::OUTCOME_RELEASED:
      if (names_claim) next = State::kOpen;
      break;
    case LedgerSent::OUTCOME_PARKED:
      if (names_claim || (part.state == State::kOpen && sent.claim_offset() == 0)) next = State::kParked;
      break;
    default:
      break;
  }
  if (part.state == State::kClaimed && next != State::kClaimed) {
    const auto waiting = claimed_.find(place.turn->conversation_key);
    if (waiting != claimed_.end()) {
      std::erase_if(waiting->second,
                    [&](const Place& other) { return other.turn == place.turn && other.part == place.part; });
      if (waiting->second.empty()) claimed_.erase(waiting);
    }
  }
  part.state = next;
  if (next == State::kSent) SetMessageId(place, sent.message_id());
  return ReportOf(*place.turn);
}

LedgerOutcomes::Report LedgerOutcomes::ApplyEvidence(const mesh::bus::v1::LedgerEvidence& evidence) {
  const Place place = PlaceOf(evidence);
  if (place.turn == nullptr) return std::nullopt;
  const auto& from = evidence.conversation();
  const auto& of = place.turn->report.conversation();
  // Another account's word settles nothing; records of earlier versions name nobody.
  if (evidence.has_conversation() &&
      (from.tenant() != of.tenant() || from.channel() != of.channel() || from.account() != of.account())) {
    return std::nullopt;
  }
  Part& part = place.turn->parts[place.part];
  if (part.claim_offset == 0) return std::nullopt;  // never claimed: somebody else holds the same ids
  part.delivery = evidence.state();
  if (part.state == State::kOpen || part.state == State::kClaimed || part.state == State::kParked) {
    part.state = State::kSent;
  }
  SetMessageId(place, evidence.message_id());
  return ReportOf(*place.turn);
}

LedgerOutcomes::Place LedgerOutcomes::PlaceOf(const std::string& reply_id) const {
  const auto found = by_reply_.find(reply_id);
  return found == by_reply_.end() ? Place{} : found->second;
}

LedgerOutcomes::Place LedgerOutcomes::PlaceOf(const mesh::bus::v1::LedgerEvidence& evidence) const {
  if (!evidence.reply_id().empty()) return PlaceOf(evidence.reply_id());
  const auto known = by_message_.find(evidence.message_id());
  if (!evidence.message_id().empty() && known != by_message_.end()) return known->second;
  const auto waiting = claimed_.find(identity::KeyOf(evidence.conversation()).value());
  if (evidence.text_digest().empty() || waiting == claimed_.end()) return {};
  for (const Place& place : waiting->second) {
    const Part& part = place.turn->parts[place.part];
    if (part.state == State::kClaimed && part.text_digest == evidence.text_digest()) return place;
  }
  return {};
}

void LedgerOutcomes::SetMessageId(Place place, const std::string& message_id) {
  Part& part = place.turn->parts[place.part];
  if (message_id.empty() || !part.message_id.empty()) return;
  part.message_id = message_id;
  by_message_[message_id] = place;
}

LedgerOutcomes::Report LedgerOutcomes::ReportOf(Planned& turn) {
  const auto all = [&turn](auto holds) { return std::all_of(turn.parts.begin(), turn.parts.end(), holds); };
  const auto any = [&turn](State state) {
    return std::any_of(turn.parts.begin(), turn.parts.end(), [&](const Part& part) { return part.state == state; });
  };
  if (turn.fallback || any(State::kOpen) || any(State::kClaimed)) return std::nullopt;
  Outcome outcome = mesh::session::v1::OUTCOME_SENT;
  if (turn.parts.empty() || any(State::kSuperseded)) {
    outcome = mesh::session::v1::OUTCOME_SUPERSEDED;
  } else if (any(State::kParked)) {
    return std::nullopt;  // nobody knows
  } else if (all([](const Part& part) {
               return part.state == State::kFailed || part.delivery == mesh::bus::v1::DELIVERY_STATE_FAILED;
             })) {
    outcome = mesh::session::v1::OUTCOME_FAILED;
  } else {
    // Of the last part that was not refused.
    const auto last = std::find_if(turn.parts.rbegin(), turn.parts.rend(),
                                   [](const Part& part) { return part.state != State::kFailed; });
    if (last->delivery == mesh::bus::v1::DELIVERY_STATE_READ) outcome = mesh::session::v1::OUTCOME_READ;
    if (last->delivery == mesh::bus::v1::DELIVERY_STATE_DELIVERED) outcome = mesh::session::v1::OUTCOME_DELIVERED;
  }
  if (outcome == turn.report.outcome()) return std::nullopt;
  turn.report.set_outcome(outcome);
  return turn.report;
}

void LedgerOutcomes::DropOldest() {
  while (by_age_.size() > turns_max_) {
    const auto oldest = turns_.find(by_age_.front());
    by_age_.pop_front();
    Planned* const turn = oldest->second.get();
    for (const Part& part : turn->parts) {
      by_reply_.erase(part.reply_id);
      by_message_.erase(part.message_id);
    }
    const auto waiting = claimed_.find(turn->conversation_key);
    if (waiting != claimed_.end()) {
      std::erase_if(waiting->second, [&](const Place& place) { return place.turn == turn; });
      if (waiting->second.empty()) claimed_.erase(waiting);
    }
    turns_.erase(oldest);
  }
}

}  // namespace meshctl
