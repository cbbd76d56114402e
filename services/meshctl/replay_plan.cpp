#include "services/meshctl/replay_plan.h"

#include <algorithm>

#include "libs/base/str_cat.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/identity/identity.h"
#include "libs/ledger/ledger_reading.h"
#include "libs/records/reply_record.h"
#include "libs/records/turn_record.h"
#include "services/meshctl/log_records.h"
#include "services/meshctl/outcome_name.h"
#include "services/meshctl/requeue.h"

namespace meshctl {
namespace {

// More than any conversation has in 8 days.
constexpr std::size_t kOutcomesMax = 1 << 20;

std::string PlaceOf(std::string_view topic, std::int32_t partition, std::int64_t offset) {
  return base::StrCat(topic, "/", partition, "/", offset);
}

bus::OutgoingRecord SameAgain(const bus::Record& record) {
  return {.topic = record.topic,
          .partition = record.partition,
          .key = record.key,
          .value = record.value,
          .headers = record.headers};
}

}  // namespace

std::string_view NameOf(TurnFate fate) {
  switch (fate) {
    case TurnFate::kWaiting:
      return "waiting";
    case TurnFate::kLost:
      return "lost";
    case TurnFate::kReplied:
      return "replied";
    case TurnFate::kReplyLost:
      return "reply_lost";
    case TurnFate::kSending:
      return "sending";
    case TurnFate::kSettled:
      return "settled";
    case TurnFate::kDropped:
      return "dropped";
    case TurnFate::kDeadLetter:
      return "dead_letter";
    case TurnFate::kTakenBack:
      return "taken_back";
  }
  return "unknown";
}

ReplayPlan::ReplayPlan(std::string conversation_key, const bus::BusOptions& options, const Passed& passed)
    : conversation_key_(std::move(conversation_key)),
      turns_topic_(bus::TopicName(options, bus::kTurns)),
      replies_topic_(bus::TopicName(options, bus::kReplies)),
      passed_(passed),
      outcomes_(kOutcomesMax) {}

void ReplayPlan::OnTurn(const bus::Record& record) {
  if (record.key != conversation_key_) return;
  const auto turn = records::DecodeTurn(record);
  if (!turn.ok()) return;
  if (turn->kind() == mesh::bus::v1::TURN_KIND_FORGET) {
    forgotten_before_ = record.offset;
  } else if (std::optional<std::string> unsent = UnsentTurnId(*turn)) {
    unsent_.insert(*std::move(unsent));
  }
  if (!WantsAnswer(*turn)) return;
  const Key key{turn->turn_id(), bus::GenerationOf(record.headers)};
  const auto [seen, is_first] = turns_.try_emplace(key);
  if (is_first) {
    seen->second.turn = *turn;
    seen->second.first = record;
    order_.push_back(key);
  }
  seen->second.offsets.push_back(record.offset);
}

void ReplayPlan::OnReply(const bus::Record& record) {
  if (record.key != conversation_key_) return;
  const auto decoded = records::DecodeReply(record);
  if (!decoded.ok()) return;
  if (decoded->has_supersede()) {
    superseded_.insert(decoded->supersede().turn_id());
    return;
  }
  const mesh::bus::v1::Reply& reply = decoded->reply();
  Trace(reply.turn_id(), reply.generation());
  // Stands beside the reply that could not be sent, which is the turn's.
  if (reply.kind() == mesh::bus::v1::REPLY_KIND_FALLBACK) return;
  replies_.try_emplace({reply.turn_id(), reply.generation()}, record);
}

void ReplayPlan::OnLedger(const bus::Record& record) {
  const auto entry = ledger::DecodeLedgerRecord(record);
  if (!entry.ok()) return;
  if (entry->has_supersede()) {
    superseded_.insert(entry->supersede().turn_id());
    return;
  }
  if (entry->has_plan()) {
    const auto& plan = entry->plan();
    if (identity::KeyOf(plan.conversation()).value() != conversation_key_) return;
    Trace(plan.turn_id(), plan.generation());
    if (plan.kind() != mesh::bus::v1::REPLY_KIND_FALLBACK) {
      planned_.try_emplace({plan.turn_id(), plan.generation()}, mesh::session::v1::OUTCOME_UNSPECIFIED);
    }
  }
  if (entry->has_parked() && entry->parked().kind() != mesh::bus::v1::REPLY_KIND_FALLBACK &&
      identity::KeyOf(entry->parked().conversation()).value() == conversation_key_) {
    Trace(entry->parked().turn_id(), entry->parked().generation());
    parked_.insert({entry->parked().turn_id(), entry->parked().generation()});
  }
  if (entry->has_returned() && entry->returned().kind() != mesh::bus::v1::REPLY_KIND_FALLBACK) {
    parked_.erase({entry->returned().turn_id(), entry->returned().generation()});
  }
  // Of what names a reply, only that of the plans above is known there.
  if (const auto report = outcomes_.Apply(record.offset, *entry)) {
    planned_[{report->turn_id(), report->generation()}] = report->outcome();
  }
}

void ReplayPlan::OnDeadLetter(const bus::Record& record) {
  mesh::bus::v1::DeadLetter letter;
  if (!letter.ParseFromString(record.value)) return;
  letters_.try_emplace(
      PlaceOf(letter.origin_topic(), letter.origin_partition(), letter.origin_offset()),
      Letter{base::StrCat("given up by ", letter.service(), ": ", letter.reason()), RequeueHint(record, letter)});
}

void ReplayPlan::Trace(const std::string& turn_id, std::uint32_t generation) {
  std::uint32_t& newest = traced_.try_emplace(turn_id, generation).first->second;
  newest = std::max(newest, generation);
}

const ReplayPlan::Letter* ReplayPlan::LetterOf(const Key& key, const Seen& seen) const {
  for (const std::int64_t offset : seen.offsets) {
    const auto letter = letters_.find(PlaceOf(turns_topic_, seen.first.partition, offset));
    if (letter != letters_.end()) return &letter->second;
  }
  const auto reply = replies_.find(key);
  if (reply == replies_.end()) return nullptr;
  const auto letter = letters_.find(bus::RecordPlace(reply->second));
  return letter == letters_.end() ? nullptr : &letter->second;
}

// The same generation is said once.
bool ReplayPlan::WasRequeued(const Key& key) const {
  const auto later = turns_.upper_bound(key);
  const auto traced = traced_.find(key.first);
  return (later != turns_.end() && later->first.first == key.first) ||
         (traced != traced_.end() && traced->second > key.second);
}

bool ReplayPlan::TakenBack(const Key& key, const Seen& seen) const {
  return seen.first.offset < forgotten_before_ || unsent_.contains(key.first);
}

ReplayPlan::Judgement ReplayPlan::JudgeOne(const Key& key, const Seen& seen) const {
  if (const Letter* letter = LetterOf(key, seen)) {
    const bool may_help = !WasRequeued(key) && !TakenBack(key, seen);
    return {TurnFate::kDeadLetter, may_help ? letter->what + letter->requeue_hint : letter->what};
  }
  if (const auto planned = planned_.find(key); planned != planned_.end()) {
    if (planned->second == mesh::session::v1::OUTCOME_UNSPECIFIED) {
      return {TurnFate::kSending, "planned, and no end known: being sent, in doubt, or parked"};
    }
    return {TurnFate::kSettled, std::string(OutcomeName(planned->second))};
  }
  if (parked_.contains(key)) return {TurnFate::kSending, "parked: its account cannot send"};
  if (superseded_.contains(key.first)) return {TurnFate::kDropped, "withdrawn for a later message"};
  if (const auto reply = replies_.find(key); reply != replies_.end()) {
    if (reply->second.offset >= passed_.replies) return {TurnFate::kReplied, "the senders have not finished it"};
    return {TurnFate::kReplyLost, base::StrCat("the senders have passed its reply ", bus::RecordPlace(reply->second))};
  }
  if (const auto traced = traced_.find(key.first); traced != traced_.end() && traced->second >= key.second) {
    return {TurnFate::kSettled, "answered after a requeue"};
  }
  if (TakenBack(key, seen)) return {TurnFate::kTakenBack, "unsent or forgotten by its user"};
  if (*std::ranges::max_element(seen.offsets) >= passed_.turns) {
    return {TurnFate::kWaiting, "the workers have not finished it"};
  }
  return {TurnFate::kLost, "the workers have passed it"};
}

std::vector<ReplayedTurn> ReplayPlan::Judge(std::int64_t from_ms, std::int64_t now_ms) const {
  std::vector<ReplayedTurn> turns;
  for (const Key& key : order_) {
    const Seen& seen = turns_.at(key);
    if (seen.first.timestamp_ms < from_ms) continue;
    Judgement judgement = JudgeOne(key, seen);
    ReplayedTurn turn{.turn_id = key.first,
                      .message_id = seen.turn.message_id(),
                      .generation = key.second,
                      .position = {seen.first.partition, seen.first.offset},
                      .accepted_at_ms = seen.turn.accepted_at_ms(),
                      .fate = judgement.fate,
                      .detail = std::move(judgement.detail),
                      .put_back = std::nullopt};
    const bool is_lost = turn.fate == TurnFate::kLost || turn.fate == TurnFate::kReplyLost;
    if (is_lost && TakenBack(key, seen)) {
      turn.detail += "; unsent or forgotten by its user since";
    } else if (is_lost && now_ms - seen.first.timestamp_ms > kReplayAgeMaxMs) {
      turn.detail += base::StrCat("; older than ", retention::kReplay.count(), " days, so it stays");
    } else if (is_lost) {
      turn.put_back = SameAgain(turn.fate == TurnFate::kLost ? seen.first : replies_.at(key));
    }
    turns.push_back(std::move(turn));
  }
  return turns;
}

}  // namespace meshctl
