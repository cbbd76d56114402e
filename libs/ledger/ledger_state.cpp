#include "libs/ledger/ledger_state.h"

#include <algorithm>

#include "libs/base/check.h"
#include "libs/bus/dead_letter.h"
#include "libs/crypto/digest.h"

namespace ledger {
namespace {

constexpr std::int64_t kBetweenTemplatesMs = 24 * std::int64_t{3'600'000};

using mesh::bus::v1::LedgerClaim;
using mesh::bus::v1::LedgerEvidence;
using mesh::bus::v1::LedgerPlan;
using mesh::bus::v1::LedgerRecord;
using mesh::bus::v1::LedgerReturned;
using mesh::bus::v1::LedgerSent;
using mesh::bus::v1::LedgerTakeover;

// Whose word evidence is: ids travel through the platform and back, and another account that sends ours must not settle
// our replies. The user is not compared, for a status may call the same one by another id; records of earlier versions
// name nobody.
bool IsOfAccount(const LedgerEvidence& evidence, const mesh::bus::v1::ConversationId& conversation) {
  if (!evidence.has_conversation()) return true;
  const auto& from = evidence.conversation();
  return from.tenant() == conversation.tenant() && from.channel() == conversation.channel() &&
         from.account() == conversation.account();
}

// A file or a reaction is an addition: without it the words and the question make sense. Not so when what was refused
// is the conversation (its window, its deadline, its account): that goes for every part.
bool FailsAlone(const mesh::bus::v1::OutboundPart& content, std::string_view reason) {
  return reason == bus::ToString(bus::DeadLetterReason::kSendFailed) && (content.has_media() || content.has_reaction());
}

bool IsTemplate(const LedgerPlan& plan) { return plan.rich_parts_size() == 1 && plan.rich_parts(0).has_template_(); }

bool IsSettled(PartState state) { return state != PartState::kOpen && state != PartState::kClaimed; }

}  // namespace

bool MeansSilence(mesh::bus::v1::DropPolicy policy) {
  return policy == mesh::bus::v1::DROP_POLICY_OPTED_OUT || policy == mesh::bus::v1::DROP_POLICY_HANDOFF ||
         policy == mesh::bus::v1::DROP_POLICY_COUNTRY;
}

bool PlannedTurn::Settled() const { return FirstUnsettled() == nullptr; }

bool PlannedTurn::ClaimStands() const {
  return std::any_of(parts.begin(), parts.end(), [](const Part& part) {
    return part.state == PartState::kClaimed || part.state == PartState::kSent;
  });
}

bool PlannedTurn::Superseded() const {
  return parts.empty() ||
         std::any_of(parts.begin(), parts.end(), [](const Part& part) { return part.state == PartState::kSuperseded; });
}

bool PlannedTurn::GivenUp() const {
  const auto failed = [](const Part& part) { return part.state == PartState::kFailed; };
  return std::any_of(parts.begin(), parts.end(),
                     [&](const Part& part) { return failed(part) && !part.failed_alone; }) ||
         (!parts.empty() && std::all_of(parts.begin(), parts.end(), failed));
}

bool PlannedTurn::Parked() const { return Any(PartState::kParked); }

bool PlannedTurn::Any(PartState state) const {
  return std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return part.state == state; });
}

bool PlannedTurn::NothingArrived() const {
  return !parts.empty() && std::all_of(parts.begin(), parts.end(), [](const Part& part) {
    return part.delivery == mesh::bus::v1::DELIVERY_STATE_FAILED || part.state == PartState::kFailed;
  });
}

const Part* PlannedTurn::FirstUnsettled() const {
  const auto found = std::find_if(parts.begin(), parts.end(), [](const Part& part) { return !IsSettled(part.state); });
  return found == parts.end() ? nullptr : &*found;
}

LedgerState::LedgerState(std::size_t settled_detail_max) : settled_detail_max_(settled_detail_max) {}

void LedgerState::SetOwner(std::string owner) {
  owner_ = std::move(owner);
  term_.reset();
}

LedgerState::Change LedgerState::Apply(std::int64_t offset, const LedgerRecord& record) {
  CHECK_MSG(offset >= next_offset_, "ledger records come in order");
  next_offset_ = offset + 1;
  switch (record.body_case()) {
    case LedgerRecord::kPlan:
      return ApplyPlan(record.plan(), record.written_at_ms());
    case LedgerRecord::kClaim:
      return ApplyClaim(offset, record.claim());
    case LedgerRecord::kSent:
      return ApplySent(record.sent());
    case LedgerRecord::kEvidence:
      return ApplyEvidence(record.evidence());
    case LedgerRecord::kSupersede:
      return ApplySupersede(record.supersede());
    case LedgerRecord::kTakeover:
      return ApplyTakeover(offset, record.takeover());
    case LedgerRecord::kParked:
      return ApplyParked(record.parked());
    case LedgerRecord::kReturned:
      return ApplyReturned(record.returned());
    case LedgerRecord::BODY_NOT_SET:
      break;  // a newer schema's record: not ours to judge
  }
  return {};
}

LedgerState::Change LedgerState::ApplyPlan(const LedgerPlan& plan, std::int64_t written_at_ms) {
  const TurnKey key = KeyOf(plan);
  // The first PLAN of a key stands, whoever wrote it; so does what was settled, and which record was parked.
  if (turns_.contains(key) || settled_.contains(DigestOf(key))) return {};
  const ParkedReplies::Reply* parked = parked_.Find(key);
  if (parked != nullptr && parked->replies_offset != plan.replies_offset()) return {};
  if (key.generation > 0) requeued_[DigestOfTurn(key.turn_id)] = hour_;
  if (IsTemplate(plan)) asked_to_write_[identity::KeyOf(plan.conversation()).value()] = {written_at_ms, hour_};
  auto turn = std::make_unique<PlannedTurn>();
  turn->key = key;
  turn->kind = plan.kind();
  turn->conversation = plan.conversation();
  turn->replies_offset = plan.replies_offset();
  turn->planned_hour = hour_;
  turn->parts.reserve(static_cast<std::size_t>(plan.parts_size() + plan.rich_parts_size()));
  for (const std::string& text : plan.parts()) {
    mesh::bus::v1::OutboundPart content;
    content.set_text(text);
    AddPart(std::move(content), *turn);
  }
  for (const mesh::bus::v1::OutboundPart& content : plan.rich_parts()) AddPart(content, *turn);
  PlannedTurn& stored = *turn;
  turns_[key] = std::move(turn);
  const Change change{Change::Kind::kPlanned, &stored};
  NoteIfSettled(stored, /*was_settled=*/false);
  return change;
}

void LedgerState::AddPart(mesh::bus::v1::OutboundPart content, PlannedTurn& turn) {
  const std::size_t index = turn.parts.size();
  Part part;
  part.id = identity::MakeReplyId(identity::TurnId(turn.key.turn_id), turn.key.generation, turn.kind,
                                  static_cast<std::uint32_t>(index));
  if (content.has_text() || content.has_choices()) {
    part.text_digest = crypto::Sha256(content.has_text() ? content.text() : content.choices().text());
  }
  part.is_file = content.has_media();
  part.content = std::move(content);
  by_reply_[part.id.value()] = {&turn, index};
  turn.parts.push_back(std::move(part));
}

LedgerState::Change LedgerState::ApplyClaim(std::int64_t offset, const LedgerClaim& claim) {
  if (last_takeover_ > claim.term()) return {};  // void: its writer was not the owner any more
  const PartPlace place = PlaceOf(claim.reply_id());
  if (place.turn == nullptr) return {};
  Part& part = place.turn->parts[place.part];
  if (IsSettled(part.state)) return {};
  part.state = PartState::kClaimed;
  part.claim_offset = offset;
  part.claim_term = claim.term();
  part.resends = claim.resends();
  auto& waiting = claimed_by_conversation_[identity::KeyOf(place.turn->conversation).value()];
  const bool known = std::any_of(waiting.begin(), waiting.end(), [&](const PartPlace& other) {
    return other.turn == place.turn && other.part == place.part;
  });
  if (!known) waiting.push_back(place);
  return {Change::Kind::kClaimed, place.turn, place.part};
}

LedgerState::Change LedgerState::ApplySent(const LedgerSent& sent) {
  const PartPlace place = PlaceOf(sent.reply_id());
  if (place.turn == nullptr) return {};
  PlannedTurn& turn = *place.turn;
  Part& part = turn.parts[place.part];
  const bool was_settled = turn.Settled();
  const bool names_standing_claim = part.state == PartState::kClaimed && part.claim_offset == sent.claim_offset();
  switch (sent.outcome()) {
    case LedgerSent::OUTCOME_SENT:
      // Whoever says it, and whenever: the user saw it. Nothing may send this part again.
      part.state = PartState::kSent;
      part.by_evidence = false;
      SetMessageId(place, sent.message_id());
      break;
    case LedgerSent::OUTCOME_FAILED:
      if (!names_standing_claim && !(part.state == PartState::kOpen && sent.claim_offset() == 0)) return {};
      part.state = PartState::kFailed;
      part.failed_alone = FailsAlone(part.content, sent.reason());
      turn.failure_reason = sent.reason();
      break;
    case LedgerSent::OUTCOME_PARKED:
      if (!names_standing_claim && !(part.state == PartState::kOpen && sent.claim_offset() == 0)) return {};
      part.state = PartState::kParked;
      break;
    case LedgerSent::OUTCOME_SUPERSEDED:
      if (part.state != PartState::kOpen) return {};
      part.state = PartState::kSuperseded;
      break;
    case LedgerSent::OUTCOME_RELEASED:
      if (!names_standing_claim) return {};
      part.state = PartState::kOpen;
      return {Change::Kind::kReleased, &turn, place.part};
    default:
      return {};
  }
  const Change change{Change::Kind::kSettled, &turn, place.part};
  NoteIfSettled(turn, was_settled);
  return change;
}

LedgerState::Change LedgerState::ApplyEvidence(const LedgerEvidence& evidence) {
  const PartPlace place = PlaceOfEvidence(evidence);
  if (place.turn == nullptr || !IsOfAccount(evidence, place.turn->conversation)) return {};
  PlannedTurn& turn = *place.turn;
  Part& part = turn.parts[place.part];
  // Offsets rise, so what has a claim has it before this record. A status of a part that has none is not ours: somebody
  // else holds the same ids. Change nothing.
  if (part.claim_offset == 0) return {};
  const bool was_settled = turn.Settled();
  part.delivery = evidence.state();
  if (!IsSettled(part.state) || part.state == PartState::kParked) {
    // The platform knows the message, so it took it. Whether it could deliver it is another question (`delivery`).
    part.state = PartState::kSent;
    part.by_evidence = true;
  }
  SetMessageId(place, evidence.message_id());
  const Change change{Change::Kind::kEvidence, &turn, place.part};
  NoteIfSettled(turn, was_settled);
  return change;
}

LedgerState::Change LedgerState::ApplySupersede(const mesh::bus::v1::LedgerSupersede& supersede) {
  superseded_.try_emplace(DigestOfTurn(supersede.turn_id()), hour_);
  if (MeansSilence(supersede.policy())) {
    silenced_[identity::KeyOf(supersede.conversation()).value()] = {supersede.replies_offset(), hour_};
  }
  return {};
}

LedgerState::Change LedgerState::ApplyTakeover(std::int64_t offset, const LedgerTakeover& takeover) {
  last_takeover_ = offset;
  if (!owner_.empty() && takeover.owner() == owner_) term_ = offset;
  return {Change::Kind::kTakeover, nullptr, 0};
}

LedgerState::Change LedgerState::ApplyParked(const mesh::bus::v1::LedgerParked& parked) {
  if (last_takeover_ > parked.term()) return {};  // void, as a CLAIM
  const TurnKey key = KeyOf(parked);
  const PlannedTurn* turn = Find(key);
  if (settled_.contains(DigestOf(key)) || (turn != nullptr && turn->Settled())) return {};
  if (turn != nullptr && turn->replies_offset != parked.replies_offset()) return {};
  ParkedReplies::Reply reply;
  reply.key = key;
  reply.conversation = parked.conversation();
  reply.replies_offset = parked.replies_offset();
  reply.parked_offset = parked.parked_offset();
  reply.parked_hour = hour_;
  reply.user_spoke_at_ms = parked.user_spoke_at_ms();
  parked_.Add(std::move(reply));
  return {Change::Kind::kParked, turn, 0, parked.replies_offset()};
}

LedgerState::Change LedgerState::ApplyReturned(const LedgerReturned& returned) {
  const TurnKey key = KeyOf(returned);
  const ParkedReplies::Reply* parked = parked_.Find(key);
  if (parked == nullptr || parked->parked_offset != returned.parked_offset()) return {};
  const Change change{Change::Kind::kReturned, Find(key), 0, parked->replies_offset};
  parked_.Remove(key);
  return change;
}

LedgerState::PartPlace LedgerState::PlaceOf(const std::string& reply_id) const {
  const auto found = by_reply_.find(reply_id);
  return found == by_reply_.end() ? PartPlace{} : found->second;
}

LedgerState::PartPlace LedgerState::PlaceOfEvidence(const LedgerEvidence& evidence) const {
  if (!evidence.reply_id().empty()) return PlaceOf(evidence.reply_id());
  if (!evidence.message_id().empty()) {
    const auto known = by_message_.find(evidence.message_id());
    if (known != by_message_.end()) return known->second;
  }
  if (evidence.text_digest().empty()) return {};
  // An echo that names neither our id nor a message we know: the oldest claim of the same words in this conversation.
  const auto waiting = claimed_by_conversation_.find(identity::KeyOf(evidence.conversation()).value());
  if (waiting == claimed_by_conversation_.end()) return {};
  for (const PartPlace& place : waiting->second) {
    const Part& part = place.turn->parts[place.part];
    if (part.state == PartState::kClaimed && crypto::AsBytes(part.text_digest) == evidence.text_digest()) return place;
  }
  return {};
}

void LedgerState::SetMessageId(PartPlace place, const std::string& message_id) {
  Part& part = place.turn->parts[place.part];
  if (message_id.empty() || !part.message_id.empty()) return;
  part.message_id = message_id;
  by_message_[message_id] = place;
}

void LedgerState::NoteIfSettled(PlannedTurn& turn, bool was_settled) {
  if (was_settled || !turn.Settled()) return;
  parked_.NoteSettled(turn.key);
  for (Part& part : turn.parts) part.content.Clear();
  DropClaims(turn);
  settled_detail_.push_back(turn.key);
  // Not this one: the caller still looks at it.
  while (settled_detail_.size() > settled_detail_max_ && settled_detail_.front() != turn.key) {
    const TurnKey oldest = settled_detail_.front();
    settled_detail_.pop_front();
    settled_[DigestOf(oldest)] = turns_.at(oldest)->planned_hour;
    Erase(oldest);
  }
}

void LedgerState::DropClaims(const PlannedTurn& turn) {
  const auto waiting = claimed_by_conversation_.find(identity::KeyOf(turn.conversation).value());
  if (waiting == claimed_by_conversation_.end()) return;
  std::erase_if(waiting->second, [&](const PartPlace& place) { return place.turn == &turn; });
  if (waiting->second.empty()) claimed_by_conversation_.erase(waiting);
}

void LedgerState::Erase(const TurnKey& key) {
  const auto found = turns_.find(key);
  CHECK_MSG(found != turns_.end(), "only a known turn is erased");
  DropClaims(*found->second);
  for (const Part& part : found->second->parts) {
    by_reply_.erase(part.id.value());
    const auto message = by_message_.find(part.message_id);
    if (message != by_message_.end() && message->second.turn == found->second.get()) by_message_.erase(message);
  }
  turns_.erase(found);
}

LedgerState::Verdict LedgerState::Judge(const TurnKey& key, std::int64_t replies_offset) const {
  if (const ParkedReplies::Reply* parked = parked_.Find(key)) {
    return parked->replies_offset == replies_offset ? Verdict::kParked : Verdict::kDuplicate;
  }
  return JudgeReturned(key, replies_offset);
}

LedgerState::Verdict LedgerState::JudgeReturned(const TurnKey& key, std::int64_t replies_offset) const {
  if (const PlannedTurn* turn = Find(key)) {
    return turn->replies_offset == replies_offset ? Verdict::kPlanned : Verdict::kDuplicate;
  }
  return settled_.contains(DigestOf(key)) ? Verdict::kDuplicate : Verdict::kNew;
}

bool LedgerState::TurnPlanned(const std::string& turn_id) const {
  return Judge({turn_id, 0}, -1) != Verdict::kNew || requeued_.contains(DigestOfTurn(turn_id));
}

bool LedgerState::SilentSince(const mesh::bus::v1::ConversationId& conversation, std::int64_t replies_offset) const {
  const auto found = silenced_.find(identity::KeyOf(conversation).value());
  return found != silenced_.end() && found->second.value > replies_offset;
}

// By wall clocks, for no more than a courtesy hangs on them.
bool LedgerState::AskedToWriteAgain(const mesh::bus::v1::ConversationId& conversation, std::int64_t wall_ms) const {
  const auto found = asked_to_write_.find(identity::KeyOf(conversation).value());
  return found != asked_to_write_.end() && wall_ms - found->second.value < kBetweenTemplatesMs;
}

const PlannedTurn* LedgerState::Find(const TurnKey& key) const {
  const auto found = turns_.find(key);
  return found == turns_.end() ? nullptr : found->second.get();
}

const PlannedTurn* LedgerState::FindReply(const identity::ReplyId& reply, std::size_t* part) const {
  const PartPlace place = PlaceOf(reply.value());
  if (place.turn != nullptr && part != nullptr) *part = place.part;
  return place.turn;
}

bool LedgerState::MayPost(const identity::ReplyId& reply, std::int64_t claim_offset) const {
  const PartPlace place = PlaceOf(reply.value());
  if (place.turn == nullptr || !owned()) return false;
  const Part& part = place.turn->parts[place.part];
  return part.state == PartState::kClaimed && part.claim_offset == claim_offset && part.claim_term == *term_;
}

void LedgerState::AnHourPassed() {
  const std::int32_t oldest_kept = ++hour_ - kHoursKept;
  const auto is_old = [&](const auto& entry) { return entry.second < oldest_kept; };
  absl::erase_if(settled_, is_old);
  absl::erase_if(superseded_, is_old);
  absl::erase_if(requeued_, is_old);
  for (auto* remembered : {&silenced_, &asked_to_write_}) {
    absl::erase_if(*remembered, [&](const auto& entry) { return entry.second.hour < oldest_kept; });
  }
  parked_.ForgetParkedBefore(oldest_kept);
  std::vector<TurnKey> old;
  for (const auto& [key, turn] : turns_) {
    if (turn->planned_hour < oldest_kept) old.push_back(key);
  }
  std::erase_if(settled_detail_, [&](const TurnKey& key) { return turns_.at(key)->planned_hour < oldest_kept; });
  for (const TurnKey& key : old) Erase(key);
}

}  // namespace ledger
