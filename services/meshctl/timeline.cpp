#include "services/meshctl/timeline.h"

#include <algorithm>
#include <utility>

#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/channel/codec.h"
#include "libs/channel/event_json.h"
#include "libs/ledger/ledger_reading.h"
#include "services/meshctl/log_records.h"
#include "services/meshctl/outcome_name.h"
#include "services/meshctl/requeue.h"
#include "services/meshctl/requeue_check.h"

namespace meshctl {
namespace {

using mesh::bus::v1::LedgerSent;

constexpr std::uint32_t kPartsMax = channel::kReplyPartsMax;

std::string_view StateInWords(mesh::bus::v1::DeliveryState state) {
  if (state == mesh::bus::v1::DELIVERY_STATE_ECHO) return "seen again as an echo";
  const std::string_view name = channel::StateName(state);
  return name.empty() ? "unknown" : name;
}

std::string_view SentName(LedgerSent::Outcome outcome) {
  switch (outcome) {
    case LedgerSent::OUTCOME_SENT:
      return "sent";
    case LedgerSent::OUTCOME_FAILED:
      return "failed for good";
    case LedgerSent::OUTCOME_SUPERSEDED:
      return "dropped: not to be said any more";
    case LedgerSent::OUTCOME_RELEASED:
      return "claim given back: certainly not shown";
    case LedgerSent::OUTCOME_PARKED:
      return "parked: in doubt for good";
    default:
      return "settled";
  }
}

std::string_view KindName(mesh::bus::v1::ReplyKind kind) {
  switch (kind) {
    case mesh::bus::v1::REPLY_KIND_NOTICE:
      return "notice";
    case mesh::bus::v1::REPLY_KIND_FALLBACK:
      return "notice of the sender";
    default:
      return "answer";
  }
}

// What of it is more than text, in order.
std::string RichNames(const mesh::bus::v1::LedgerPlan& plan) {
  std::string names;
  for (const mesh::bus::v1::OutboundPart& part : plan.rich_parts()) {
    names += names.empty() ? ", behind its text: " : ", ";
    if (part.has_media()) names += part.media().type();
    if (part.has_choices()) names += "choices";
    if (part.has_reaction()) names += "reaction";
    if (part.has_template_()) names += base::StrCat("template ", part.template_().name());
    if (part.has_text()) names += "text";
  }
  return names;
}

std::string Short(std::string_view bytes) { return base::ToHex(bytes.substr(0, 6)); }

std::string WithdrawalOf(const mesh::bus::v1::Supersede& supersede) {
  if (!supersede.by_turn_id().empty()) return base::StrCat("superseded by turn ", Short(supersede.by_turn_id()));
  return base::StrCat("not answered, by policy ", mesh::bus::v1::DropPolicy_Name(supersede.policy()));
}

}  // namespace

std::string Timeline::turn_id_hex() const { return base::ToHex(turn_id_); }

void Timeline::Add(const bus::Record& record, std::int64_t at_ms, std::string what) {
  entries_.push_back({at_ms != 0 ? at_ms : record.timestamp_ms,
                      base::StrCat(record.topic, "/", record.partition, "/", record.offset), std::move(what)});
}

bool Timeline::IsCopy(const bus::Record& record) {
  const std::string_view id = bus::FindHeader(record.headers, "ce_id");
  // In `replies` a second record of a turn is no copy: a re-run may say something else.
  return !id.empty() && !record.topic.ends_with(bus::kReplies) &&
         !copies_seen_.insert(base::StrCat(record.topic, " ", id)).second;
}

void Timeline::OnTurn(const bus::Record& record) {
  mesh::bus::v1::Turn turn;
  if (!turn.ParseFromString(record.value)) return;
  if (!turn_id_.empty() && UnsentTurnId(turn) == turn_id_) {
    was_taken_back_ = true;
    return Add(record, turn.accepted_at_ms(), "taken back by its user");
  }
  if (turn.message_id() != message_ && turn.turn_id() != wanted_turn_id_) return;
  ++turn_records_;
  if (!conversation_) {
    conversation_ = turn.conversation();
    message_id_ = turn.message_id();
    turn_id_ = turn.turn_id();
    trace_id_ = bus::TraceOf(record.headers).trace_id;
  }
  newest_generation_ = std::max(newest_generation_, bus::GenerationOf(record.headers));
  const std::string_view generation = bus::FindHeader(record.headers, bus::kGenerationHeader);
  const std::string again = !generation.empty() ? base::StrCat("requeued, generation ", generation)
                            : turn_records_ > 1 ? std::string("accepted again (a retried webhook)")
                                                : std::string("accepted");
  Add(record, generation.empty() ? turn.accepted_at_ms() : 0,
      base::StrCat(again, ": ", turn.type(), " from ", identity::ForLog(turn.conversation())));
}

void Timeline::OnReply(const bus::Record& record) {
  mesh::bus::v1::ReplyRecord value;
  if (turn_id_.empty() || !value.ParseFromString(record.value)) return;
  if (value.has_supersede()) {
    if (value.supersede().turn_id() == turn_id_) {
      Add(record, 0, WithdrawalOf(value.supersede()));
    }
    return;
  }
  const mesh::bus::v1::Reply& reply = value.reply();
  if (reply.turn_id() != turn_id_ || IsCopy(record)) return;
  newest_generation_ = std::max(newest_generation_, reply.generation());
  for (std::uint32_t part = 0; part < kPartsMax; ++part) {
    reply_ids_.insert(
        identity::MakeReplyId(identity::TurnId(turn_id_), reply.generation(), reply.kind(), part).value());
  }
  // An answer and a worker's notice compete for one place, the sender's notice stands beside it.
  const std::string_view place = reply.kind() == mesh::bus::v1::REPLY_KIND_FALLBACK ? "fallback" : "reply";
  const bool first = replies_seen_.insert(base::StrCat(record.topic, "/", reply.generation(), "/", place)).second;
  // A requeued reply keeps the time of its making; what counts here is when it was written.
  Add(record, reply.generation() > 0 ? 0 : reply.created_at_ms(),
      base::StrCat(
          KindName(reply.kind()), " generation ", reply.generation(), " attempt ", reply.attempt(), ": ",
          reply.prompt_tokens(), " prompt and ", reply.completion_tokens(), " completion tokens, ", reply.model(),
          reply.drop_policy() != mesh::bus::v1::DROP_POLICY_UNSPECIFIED
              ? base::StrCat(" instead of an answer, by policy ", mesh::bus::v1::DropPolicy_Name(reply.drop_policy()))
              : std::string(),
          first ? "" : " (later than the first: ignored)"));
}

void Timeline::OnLedger(const bus::Record& record) {
  const auto decoded = ledger::DecodeLedgerRecord(record);
  if (turn_id_.empty() || !decoded.ok()) return;  // what senders refuse changes nothing
  const mesh::bus::v1::LedgerRecord& value = *decoded;
  const std::int64_t at_ms = value.written_at_ms();
  if (value.has_plan() && value.plan().turn_id() == turn_id_) {
    Add(record, at_ms,
        base::StrCat("plan: ", KindName(value.plan().kind()), " in ",
                     value.plan().parts_size() + value.plan().rich_parts_size(), " part(s)", RichNames(value.plan())));
  } else if (value.has_supersede() && value.supersede().turn_id() == turn_id_) {
    Add(record, at_ms, "superseded: what comes of it from now on is dropped");
  } else if (value.has_parked() && value.parked().turn_id() == turn_id_) {
    Add(record, at_ms, "the account cannot send: moved to parked, and back from there before anything later");
  } else if (value.has_returned() && value.returned().turn_id() == turn_id_) {
    Add(record, at_ms, "back from parked, and at its end");
  } else if (value.has_claim() && reply_ids_.contains(value.claim().reply_id())) {
    Add(record, at_ms,
        base::StrCat("claim of part ", Short(value.claim().reply_id()), ", term ", value.claim().term(),
                     value.claim().resends() > 0 ? base::StrCat(", resend ", value.claim().resends()) : std::string()));
  } else if (value.has_sent() && reply_ids_.contains(value.sent().reply_id())) {
    if (!value.sent().message_id().empty()) sent_message_ids_.insert(value.sent().message_id());
    std::string what = base::StrCat("part ", Short(value.sent().reply_id()), " ", SentName(value.sent().outcome()));
    if (!value.sent().message_id().empty()) what += base::StrCat(" as ", value.sent().message_id());
    if (value.sent().error_code() != 0) what += base::StrCat(", error ", value.sent().error_code());
    Add(record, at_ms, std::move(what));
  } else if (value.has_evidence() && (reply_ids_.contains(value.evidence().reply_id()) ||
                                      sent_message_ids_.contains(value.evidence().message_id()))) {
    Add(record, at_ms, base::StrCat("evidence: the platform has it, ", StateInWords(value.evidence().state())));
  }
}

void Timeline::OnStatus(const bus::Record& record) {
  mesh::bus::v1::DeliveryStatus status;
  if (turn_id_.empty() || !status.ParseFromString(record.value)) return;
  const bool by_reply_id = reply_ids_.contains(base::FromHex(status.reply_id_hex()).value_or(""));
  if (!by_reply_id && !sent_message_ids_.contains(status.message_id())) return;
  std::string what = base::StrCat("platform says: ", StateInWords(status.state()));
  if (status.error_code() != 0) what += base::StrCat(", error ", status.error_code(), " ", status.error_title());
  Add(record, status.accepted_at_ms(), std::move(what));
}

void Timeline::OnDeadLetter(const bus::Record& record) {
  mesh::bus::v1::DeadLetter letter;
  if (turn_id_.empty() || !letter.ParseFromString(record.value)) return;
  mesh::bus::v1::Turn turn;
  mesh::bus::v1::ReplyRecord reply;
  const bool is_turn = turn.ParseFromString(letter.original_value()) && turn.turn_id() == turn_id_;
  const bool is_reply = reply.ParseFromString(letter.original_value()) && reply.reply().turn_id() == turn_id_;
  if ((!is_turn && !is_reply) || IsCopy(record)) return;
  Add(record, letter.dead_at_ms(),
      base::StrCat("given up by ", letter.service(), ": ", letter.reason(), " (", letter.detail(), ")"));
  letters_.push_back({.entry = entries_.size() - 1,
                      .generation = letter.generation(),
                      .is_reply = !is_turn,
                      .requeue_hint = RequeueHint(record, letter)});
}

// Not where it was requeued already (the same generation is said once), nor where the command would leave it out.
bool Timeline::MayHelpToRequeue(const Letter& letter) const {
  if (was_taken_back_ || newest_generation_ > letter.generation || session_.opted_out() || session_.paused()) {
    return false;
  }
  mesh::bus::v1::Reply reply;
  reply.set_turn_id(turn_id_);
  return !letter.is_reply || ReasonAgainstRequeue(reply, session_).empty();
}

void Timeline::OnSession(const mesh::session::v1::GetSessionResponse& session) {
  session_ = session;
  for (const mesh::session::v1::HistoryTurn& turn : session.turns()) {
    if (turn.turn_id() != turn_id_) continue;
    entries_.push_back({0, "session",
                        base::StrCat("in the history: outcome ", OutcomeName(turn.outcome()), ", replies offset ",
                                     turn.replies_offset())});
    return;
  }
  entries_.push_back({0, "session", "not in the history: not projected yet, forgotten, or trimmed"});
}

std::vector<TimelineEntry> Timeline::Sorted() const {
  std::vector<TimelineEntry> sorted = entries_;
  for (const Letter& letter : letters_) {
    if (MayHelpToRequeue(letter)) sorted[letter.entry].what += letter.requeue_hint;
  }
  // What has no time of its own (the session's present state) comes last.
  const auto key = [](const TimelineEntry& entry) { return entry.at_ms == 0 ? INT64_MAX : entry.at_ms; };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
  return sorted;
}

}  // namespace meshctl
