#include "libs/session/store.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/retention/retention.h"
#include "libs/session/internal/keys.h"
#include "libs/session/internal/scripts.h"
#include "libs/session/internal/turn_record.h"

namespace session {
namespace {

using mesh::bus::v1::ControlAction;
using mesh::bus::v1::ConversationId;
using mesh::session::v1::HistoryTurn;
using redis::Reply;
using redis::ScriptCall;

constexpr std::int64_t kDaySeconds = 24 * 3600;
// Of outcomes that wait for their turn, links of identities, unsent messages, and at least of deleted histories.
constexpr std::int64_t kMarkerTtlSeconds = std::chrono::seconds(retention::kMarkers).count();
// Outcomes without a turn, per conversation; each may hold a reply's text.
constexpr int kEarlyOutcomesMax = 32;
// Messages known as unsent, per conversation: far more than a person takes back within the days of the log.
constexpr int kUnsentMax = 1000;
// Identity changes in a row that a call follows.
constexpr int kHopsMax = 8;
// Orders of a moved conversation's turns lie this much below those of the conversation it became: more than any offset.
constexpr std::int64_t kMoveShift = std::int64_t{1} << 44;
constexpr std::int32_t kTurnsReturnedDefault = 100;

absl::Status Unexpected(std::string_view script) {
  return absl::InternalError(base::StrCat("script ", script, " gave an answer of an unexpected shape"));
}

// The conversations that one call was led through.
class Walk {
 public:
  // Aborted: it has been there before. A user took an old id back and only half of that change stands yet (LinkIdentity
  // runs one script for each end): it passes. DataLoss: too many different ones, which stays so however often it is
  // asked, and whoever waits for another answer waits for ever.
  absl::Status Visit(std::string link_key) {
    if (std::ranges::find(visited_, link_key) != visited_.end()) {
      return absl::AbortedError("an identity change is under way");
    }
    visited_.push_back(std::move(link_key));
    if (visited_.size() <= kHopsMax + 1) return absl::OkStatus();
    return absl::DataLossError(base::StrCat("more than ", kHopsMax, " identity changes in a row"));
  }

 private:
  std::vector<std::string> visited_;
};

// What a script says that first looks at the conversation's link: {'ok', ...} or {'moved', conversation}.
bool IsOk(const Reply& reply) { return !reply.elements.empty() && reply.elements[0].text == "ok"; }
bool IsMoved(const Reply& reply) { return reply.elements.size() == 2 && reply.elements[0].text == "moved"; }

// {turn id, record, ...}, newest first, to turns, oldest first.
absl::StatusOr<std::vector<HistoryTurn>> DecodeNewestFirst(const std::vector<Reply>& pairs) {
  std::vector<HistoryTurn> turns;
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    absl::StatusOr<HistoryTurn> turn = internal::DecodeTurn(pairs[i].text, pairs[i + 1].text);
    if (!turn.ok()) return turn.status();
    turns.push_back(*std::move(turn));
  }
  std::reverse(turns.begin(), turns.end());
  return turns;
}

// Handoff and consent are apart: each is what the latest action of its kind says.
std::string_view KindOf(ControlAction action) {
  const bool is_handoff =
      action == mesh::bus::v1::CONTROL_ACTION_PAUSE || action == mesh::bus::v1::CONTROL_ACTION_RESUME;
  return is_handoff ? "handoff" : "consent";
}
std::string Stored(ControlAction action) { return std::to_string(static_cast<int>(action)); }

bool NeverSeen(mesh::session::v1::Outcome outcome) {
  return outcome == mesh::session::v1::OUTCOME_FAILED || outcome == mesh::session::v1::OUTCOME_SUPERSEDED;
}

// Orders come back from Redis as the text of a double that holds an integer.
std::string ShiftedOrder(std::string_view order) {
  double value = 0;
  std::from_chars(order.data(), order.data() + order.size(), value);
  constexpr std::int64_t kOrderMin = -(std::int64_t{1} << 53);
  return std::to_string(std::max(static_cast<std::int64_t>(value) - kMoveShift, kOrderMin));
}

}  // namespace

struct Store::Rep {
  internal::ConversationKeys Keys(const ConversationId& conversation) const {
    return internal::KeysOf(pool->options().key_prefix, conversation);
  }
  std::string TtlSeconds() const { return std::to_string(options.history_ttl_days * kDaySeconds); }
  std::string MarkerTtlSeconds() const {
    return std::to_string(std::max(options.history_ttl_days * kDaySeconds, kMarkerTtlSeconds));
  }
  ScriptCall MarkDone(std::string_view turn_id) const {
    return {&scripts.mark_done,
            internal::DoneShardKeys(pool->options().key_prefix, turn_id, options.done_shards),
            {std::string(internal::DoneDigest(turn_id)), std::to_string(internal::kDoneHoursPerString),
             std::to_string(internal::kDoneTtlHours * 3600)}};
  }
  ScriptCall AskDone(std::string_view turn_id) const {
    return {&scripts.is_done,
            internal::DoneShardKeys(pool->options().key_prefix, turn_id, options.done_shards),
            {std::string(internal::DoneDigest(turn_id))}};
  }

  absl::StatusOr<std::vector<Reply>> Run(std::span<const ScriptCall> calls, base::MonotonicTime deadline) {
    absl::StatusOr<redis::Pool::Lease> lease = pool->Acquire(deadline);
    if (!lease.ok()) return lease.status();
    return redis::RunScripts(*lease, calls, deadline);
  }

  // Runs `make(conversation, hops)`, follows the conversation as long as the first call's answer says it has moved, and
  // returns the answers of the last round. `conversation` becomes the one that answered.
  template <typename MakeCalls>
  absl::StatusOr<std::vector<Reply>> RunFollowing(ConversationId& conversation, base::MonotonicTime deadline,
                                                  const MakeCalls& make) {
    Walk walk;
    for (int hops = 0;; ++hops) {
      if (absl::Status visited = walk.Visit(Keys(conversation).link); !visited.ok()) return visited;
      const std::vector<ScriptCall> calls = make(conversation, hops);
      absl::StatusOr<std::vector<Reply>> replies = Run(calls, deadline);
      if (!replies.ok()) return replies.status();
      const Reply& first = replies->front();
      if (IsOk(first)) return replies;
      if (!IsMoved(first) || !conversation.ParseFromString(first.elements[1].text)) {
        return Unexpected(calls.front().script->name());
      }
    }
  }

  redis::Pool* pool;
  StoreOptions options;
  internal::Scripts scripts;
};

Store::Store(redis::Pool* pool, const StoreOptions& options) : rep_(new Rep{pool, options, {}}) {
  CHECK(ValidateStoreOptions(options).ok());
}
Store::~Store() = default;

absl::StatusOr<mesh::session::v1::LoadContextResponse> Store::LoadContext(
    const mesh::session::v1::LoadContextRequest& request, base::MonotonicTime deadline) {
  ConversationId conversation = request.conversation();
  const auto replies = rep_->RunFollowing(conversation, deadline, [&](const ConversationId& id, int) {
    const internal::ConversationKeys keys = rep_->Keys(id);
    return std::vector<ScriptCall>{{&rep_->scripts.load_context,
                                    {keys.link, keys.order, keys.turns, keys.control, keys.unsent},
                                    {request.turn_id(), std::to_string(request.history_tokens_max())}},
                                   rep_->AskDone(request.turn_id())};
  });
  if (!replies.ok()) return replies.status();
  const Reply& loaded = replies->front();
  if (loaded.elements.size() != 7) return Unexpected("load_context");
  absl::StatusOr<std::vector<HistoryTurn>> turns = DecodeNewestFirst(loaded.elements[2].elements);
  if (!turns.ok()) return turns.status();

  mesh::session::v1::LoadContextResponse response;
  response.set_done(loaded.elements[1].integer == 1 || (*replies)[1].integer == 1);
  for (HistoryTurn& turn : *turns) {
    if (NeverSeen(turn.outcome())) {
      turn.clear_reply_text();
      turn.set_reply_tokens(0);
    }
    *response.add_history() = std::move(turn);
  }
  *response.mutable_canonical() = std::move(conversation);
  response.set_paused(loaded.elements[3].text == Stored(mesh::bus::v1::CONTROL_ACTION_PAUSE));
  response.set_opted_out(loaded.elements[4].text == Stored(mesh::bus::v1::CONTROL_ACTION_OPT_OUT));
  response.set_last_answer_at_ms(std::strtoll(loaded.elements[5].text.c_str(), nullptr, 10));
  response.set_unsent(loaded.elements[6].integer == 1);
  return response;
}

absl::StatusOr<mesh::session::v1::AppendTurnResponse> Store::AppendTurn(
    const mesh::session::v1::AppendTurnRequest& request, base::MonotonicTime deadline) {
  const HistoryTurn& turn = request.turn();
  const std::string record = internal::EncodeTurn(turn);
  ConversationId conversation = request.conversation();
  const auto replies = rep_->RunFollowing(conversation, deadline, [&](const ConversationId& id, int hops) {
    const internal::ConversationKeys keys = rep_->Keys(id);
    // History first: a turn must not be known as finished before its text is stored.
    return std::vector<ScriptCall>{
        {&rep_->scripts.append_turn,
         {keys.link, keys.meta, keys.order, keys.turns, keys.early, keys.control, keys.unsent},
         {turn.turn_id(), std::to_string(turn.turns_offset() - hops * kMoveShift), record,
          std::to_string(rep_->options.history_turns_max), std::to_string(rep_->options.history_bytes_max),
          rep_->TtlSeconds(), rep_->MarkerTtlSeconds()}},
        rep_->MarkDone(turn.turn_id())};
  });
  if (!replies.ok()) return replies.status();
  if (replies->front().elements.size() != 2) return Unexpected("append_turn");
  mesh::session::v1::AppendTurnResponse response;
  response.set_applied(replies->front().elements[1].integer == 1);
  return response;
}

absl::StatusOr<mesh::session::v1::SetOutcomeResponse> Store::SetOutcome(
    const mesh::session::v1::SetOutcomeRequest& request, base::MonotonicTime deadline) {
  const std::string early = internal::EncodeEarlyOutcome(request);
  ConversationId conversation = request.conversation();
  const auto replies = rep_->RunFollowing(conversation, deadline, [&](const ConversationId& id, int) {
    const internal::ConversationKeys keys = rep_->Keys(id);
    // Whatever the outcome, the turn is not finished by it: its words are still to be appended.
    return std::vector<ScriptCall>{
        {&rep_->scripts.set_outcome,
         {keys.link, keys.meta, keys.turns, keys.early, keys.unsent},
         {request.turn_id(), early, std::to_string(kMarkerTtlSeconds), std::to_string(kEarlyOutcomesMax)}}};
  });
  if (!replies.ok()) return replies.status();
  return mesh::session::v1::SetOutcomeResponse();
}

absl::StatusOr<mesh::session::v1::IsDoneResponse> Store::IsDone(const mesh::session::v1::IsDoneRequest& request,
                                                                base::MonotonicTime deadline) {
  mesh::session::v1::IsDoneResponse response;
  if (request.turn_ids().empty()) return response;
  std::vector<ScriptCall> calls;
  for (const std::string& turn_id : request.turn_ids()) calls.push_back(rep_->AskDone(turn_id));
  const absl::StatusOr<std::vector<Reply>> replies = rep_->Run(calls, deadline);
  if (!replies.ok()) return replies.status();
  for (const Reply& reply : *replies) response.add_done(reply.integer == 1);
  return response;
}

absl::StatusOr<mesh::session::v1::ForgetResponse> Store::Forget(const mesh::session::v1::ForgetRequest& request,
                                                                base::MonotonicTime deadline) {
  mesh::session::v1::ForgetResponse response;
  ConversationId conversation = request.conversation();
  Walk walk;
  for (int hops = 0;; ++hops) {
    const internal::ConversationKeys keys = rep_->Keys(conversation);
    if (absl::Status visited = walk.Visit(keys.link); !visited.ok()) return visited;
    const std::string order =
        request.turns_offset() == 0 ? "" : std::to_string(request.turns_offset() - hops * kMoveShift);
    const ScriptCall call{&rep_->scripts.forget,
                          {keys.link, keys.meta, keys.order, keys.turns, keys.early, keys.control},
                          {order, rep_->MarkerTtlSeconds(), Stored(mesh::bus::v1::CONTROL_ACTION_RESUME)}};
    const absl::StatusOr<std::vector<Reply>> replies = rep_->Run({&call, 1}, deadline);
    if (!replies.ok()) return replies.status();
    if (replies->front().elements.size() != 2) return Unexpected("forget");
    response.set_turns_deleted(response.turns_deleted() + replies->front().elements[0].integer);
    const std::string& next = replies->front().elements[1].text;
    if (next.empty()) return response;
    if (!conversation.ParseFromString(next)) return Unexpected("forget");
  }
}

absl::StatusOr<mesh::session::v1::GetSessionResponse> Store::GetSession(
    const mesh::session::v1::GetSessionRequest& request, base::MonotonicTime deadline) {
  const std::int32_t turns_max = request.turns_max() == 0 ? kTurnsReturnedDefault : request.turns_max();
  ConversationId conversation = request.conversation();
  const auto replies = rep_->RunFollowing(conversation, deadline, [&](const ConversationId& id, int) {
    const internal::ConversationKeys keys = rep_->Keys(id);
    return std::vector<ScriptCall>{
        {&rep_->scripts.get_session, {keys.link, keys.order, keys.turns, keys.control}, {std::to_string(turns_max)}}};
  });
  if (!replies.ok()) return replies.status();
  const std::vector<Reply>& found = replies->front().elements;
  if (found.size() != 4) return Unexpected("get_session");
  absl::StatusOr<std::vector<HistoryTurn>> turns = DecodeNewestFirst(found[1].elements);
  if (!turns.ok()) return turns.status();
  mesh::session::v1::GetSessionResponse response;
  for (HistoryTurn& turn : *turns) *response.add_turns() = std::move(turn);
  *response.mutable_canonical() = std::move(conversation);
  response.set_paused(found[2].text == Stored(mesh::bus::v1::CONTROL_ACTION_PAUSE));
  response.set_opted_out(found[3].text == Stored(mesh::bus::v1::CONTROL_ACTION_OPT_OUT));
  return response;
}

absl::StatusOr<mesh::session::v1::SetControlResponse> Store::SetControl(
    const mesh::session::v1::SetControlRequest& request, base::MonotonicTime deadline) {
  mesh::session::v1::SetControlResponse response;
  if (!request.turn_id().empty()) {
    const ScriptCall asked = rep_->AskDone(request.turn_id());
    const absl::StatusOr<std::vector<Reply>> done = rep_->Run({&asked, 1}, deadline);
    if (!done.ok()) return done.status();
    if (done->front().integer == 1) return response;
  }
  ConversationId conversation = request.conversation();
  const auto replies = rep_->RunFollowing(conversation, deadline, [&](const ConversationId& id, int hops) {
    const internal::ConversationKeys keys = rep_->Keys(id);
    return std::vector<ScriptCall>{
        {&rep_->scripts.set_control,
         {keys.link, keys.control},
         {std::string(KindOf(request.action())), Stored(request.action()),
          std::to_string(request.turns_offset() - hops * kMoveShift), rep_->MarkerTtlSeconds()}}};
  });
  if (!replies.ok()) return replies.status();
  if (replies->front().elements.size() != 2) return Unexpected("set_control");
  response.set_applied(replies->front().elements[1].integer == 1);
  if (request.turn_id().empty()) return response;
  const ScriptCall mark = rep_->MarkDone(request.turn_id());
  if (const auto marked = rep_->Run({&mark, 1}, deadline); !marked.ok()) return marked.status();
  return response;
}

absl::StatusOr<mesh::session::v1::UnsendResponse> Store::Unsend(const mesh::session::v1::UnsendRequest& request,
                                                                base::MonotonicTime deadline) {
  ConversationId conversation = request.conversation();
  const auto replies = rep_->RunFollowing(conversation, deadline, [&](const ConversationId& id, int) {
    const internal::ConversationKeys keys = rep_->Keys(id);
    return std::vector<ScriptCall>{
        {&rep_->scripts.unsend,
         {keys.link, keys.meta, keys.turns, keys.early, keys.unsent},
         {request.turn_id(), std::to_string(kMarkerTtlSeconds), std::to_string(kUnsentMax)}}};
  });
  if (!replies.ok()) return replies.status();
  if (replies->front().elements.size() != 2) return Unexpected("unsend");
  mesh::session::v1::UnsendResponse response;
  response.set_deleted(replies->front().elements[1].integer == 1);
  return response;
}

absl::StatusOr<mesh::session::v1::LinkIdentityResponse> Store::LinkIdentity(
    const mesh::session::v1::LinkIdentityRequest& request, base::MonotonicTime deadline) {
  const internal::ConversationKeys from = rep_->Keys(request.old_conversation());
  const internal::ConversationKeys to = rep_->Keys(request.new_conversation());
  const std::string changed_at = std::to_string(request.changed_at_ms());
  const std::string link_ttl = std::to_string(kMarkerTtlSeconds);

  // From here on every call for the old conversation is led to the new one, so nothing is written behind the copy.
  const std::vector<ScriptCall> links{
      {&rep_->scripts.link, {from.link}, {request.new_conversation().SerializeAsString(), changed_at, link_ttl}},
      {&rep_->scripts.link, {to.link}, {"", changed_at, link_ttl}}};
  mesh::session::v1::LinkIdentityResponse response;
  absl::StatusOr<std::vector<Reply>> linked = rep_->Run({links.data(), 1}, deadline);
  if (!linked.ok()) return linked.status();
  if (linked->front().integer == 0) return response;
  if (linked = rep_->Run({links.data() + 1, 1}, deadline); !linked.ok()) return linked.status();
  response.set_applied(true);

  const ScriptCall copy{&rep_->scripts.export_conversation,
                        {from.meta, from.order, from.turns, from.early, from.control, from.unsent},
                        {}};
  const absl::StatusOr<std::vector<Reply>> copied = rep_->Run({&copy, 1}, deadline);
  if (!copied.ok()) return copied.status();
  const std::vector<Reply>& parts = copied->front().elements;
  if (parts.size() != 6 || parts[2].elements.size() % 3 != 0 || parts[4].elements.size() != 4) {
    return Unexpected("export_conversation");
  }

  ScriptCall paste{
      &rep_->scripts.import_conversation, {to.meta, to.order, to.turns, to.early, to.control, to.unsent}, {}};
  const auto shifted = [](const std::string& order) { return order.empty() ? "" : ShiftedOrder(order); };
  paste.arguments = {shifted(parts[0].text),
                     parts[1].text,
                     std::to_string(rep_->options.history_turns_max),
                     std::to_string(rep_->options.history_bytes_max),
                     rep_->TtlSeconds(),
                     rep_->MarkerTtlSeconds(),
                     std::to_string(kMarkerTtlSeconds)};
  for (std::size_t i = 0; i < 4; i += 2) {
    paste.arguments.push_back(parts[4].elements[i].text);
    paste.arguments.push_back(shifted(parts[4].elements[i + 1].text));
  }
  paste.arguments.push_back(std::to_string(parts[2].elements.size() / 3));
  for (std::size_t i = 0; i < parts[2].elements.size(); i += 3) {
    paste.arguments.push_back(parts[2].elements[i].text);
    paste.arguments.push_back(ShiftedOrder(parts[2].elements[i + 1].text));
    paste.arguments.push_back(parts[2].elements[i + 2].text);
  }
  paste.arguments.push_back(std::to_string(parts[5].elements.size() / 2));
  for (const Reply& unsent : parts[5].elements) paste.arguments.push_back(unsent.text);
  for (const Reply& early : parts[3].elements) paste.arguments.push_back(early.text);
  const absl::StatusOr<std::vector<Reply>> pasted = rep_->Run({&paste, 1}, deadline);
  if (!pasted.ok()) return pasted.status();
  response.set_turns_moved(pasted->front().integer);

  const redis::Command leave_nothing{"DEL", from.meta, from.order, from.turns, from.early, from.control, from.unsent};
  if (const auto deleted = rep_->pool->Run(leave_nothing, deadline); !deleted.ok()) return deleted.status();
  return response;
}

}  // namespace session
