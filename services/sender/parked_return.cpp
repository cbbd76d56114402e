#include "services/sender/parked_return.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/base/hex.h"
#include "libs/bus/headers.h"
#include "libs/bus/topics.h"
#include "libs/records/reply_record.h"
#include "libs/telemetry/log.h"
#include "services/sender/refused_record.h"
#include "services/sender/write_failure.h"

namespace sender {
namespace {

constexpr base::Duration kLookInterval = std::chrono::seconds(1);
constexpr base::Duration kRetryInitial = std::chrono::milliseconds(100);
constexpr base::Duration kRetryMax = std::chrono::seconds(5);
constexpr int kMissesMax = 5;  // a fetch can skip a record that is there

}  // namespace

ParkedReturn::ParkedReturn(LaneContext context) : context_(std::move(context)) {}

void ParkedReturn::Begin() { Look(); }

void ParkedReturn::OnLedgerChange(const ledger::LedgerState::Change& change) {
  if (change.kind == ledger::LedgerState::Change::Kind::kParked) return LookLater();
  if (change.kind == ledger::LedgerState::Change::Kind::kReturned) {
    in_hand_.erase(change.replies_offset);
    if (in_hand_.size() <= kInHandMax / 2) Look();
    return;
  }
  if (change.turn == nullptr) return;
  const auto lane = lanes_.find(identity::KeyOf(change.turn->conversation).value());
  if (lane == lanes_.end()) return;
  const ledger::TurnKey key = change.turn->key;
  const std::shared_ptr<SendLane> kept = lane->second;
  kept->OnLedgerChange(key);
}

void ParkedReturn::Resume() {
  std::vector<std::shared_ptr<SendLane>> lanes;
  for (const auto& [key, lane] : lanes_) lanes.push_back(lane);
  for (const auto& lane : lanes) lane->Resume();
}

void ParkedReturn::Stop() {
  stopped_ = true;
  for (const auto& [key, lane] : lanes_) lane->Stop();
}

std::size_t ParkedReturn::busy_count() const {
  return static_cast<std::size_t>(
      std::count_if(lanes_.begin(), lanes_.end(), [](const auto& entry) { return entry.second->busy(); }));
}

void ParkedReturn::LookLater() {
  if (std::exchange(look_scheduled_, true)) return;
  effects().RunAfter(kLookInterval, [self = shared_from_this()] {
    self->look_scheduled_ = false;
    self->Look();
  });
}

void ParkedReturn::Look() {
  if (stopped_ || parked().empty() || !context_.ledger->state().owned()) return;
  LookLater();  // for as long as anything waits: an account may open, a read may have failed
  if (reading_) return;
  std::vector<std::int64_t> next = ChooseNext();
  if (next.empty()) return;
  reading_ = true;
  effects().ReadParked(context_.ledger->partition(), next,
                       [self = shared_from_this(), next](const absl::StatusOr<std::vector<bus::Record>>& copies) {
                         self->reading_ = false;
                         if (self->stopped_) return;
                         if (copies.ok()) return self->OnRead(next, *copies);
                         telemetry::LogWarning("parked_not_read", {{"partition", self->context_.ledger->partition()},
                                                                   {"error", copies.status().ToString()}});
                       });
}

std::vector<std::int64_t> ParkedReturn::ChooseNext() const {
  std::vector<std::int64_t> next;
  parked().ForEachAccount([&](const auto&, const auto& by_parked_offset) {
    const std::size_t in_hand_max = CannotSend(by_parked_offset.begin()->second->conversation) ? 1 : kInHandMax;
    std::size_t in_hand = 0;
    for (const auto& [offset, reply] : by_parked_offset) {
      const bool taken = in_hand_.contains(reply->replies_offset);
      if (taken && reply->settled) continue;  // waits for session, which may be away for long
      if (in_hand++ == in_hand_max) break;
      if (!taken) next.push_back(offset);
    }
  });
  std::sort(next.begin(), next.end());
  return next;
}

bool ParkedReturn::CannotSend(const mesh::bus::v1::ConversationId& conversation) const {
  const auto account = effects().FindAccount(conversation);
  return account != nullptr && context_.gate->Closed(*account);
}

void ParkedReturn::OnRead(const std::vector<std::int64_t>& asked, const std::vector<bus::Record>& copies) {
  std::map<std::int64_t, ledger::ParkedReplies::Reply> waiting;  // by offset in `parked`, as the ledger has them by now
  parked().ForEachAccount([&](const auto&, const auto& by_parked_offset) {
    for (const std::int64_t offset : asked) {
      const auto found = by_parked_offset.find(offset);
      if (found != by_parked_offset.end()) waiting.emplace(offset, *found->second);
    }
  });
  std::map<std::int64_t, const bus::Record*> found;
  for (const bus::Record& copy : copies) found[copy.offset] = &copy;
  std::set<std::string> held_up;  // conversations of which an earlier copy did not come
  for (const auto& [offset, reply] : waiting) {
    const std::string conversation = identity::KeyOf(reply.conversation).value();
    const auto copy = found.find(offset);
    if (copy != found.end()) {
      if (!held_up.contains(conversation)) Take(*copy->second, reply);
      continue;
    }
    held_up.insert(conversation);
    if (++misses_[offset] < kMissesMax) continue;
    misses_.erase(offset);
    Lose(reply, "the topic does not hold it any more");
  }
}

void ParkedReturn::Take(bus::Record copy, const ledger::ParkedReplies::Reply& reply) {
  auto decoded = records::DecodeParked(copy);
  if (!decoded.ok()) return Refuse(std::move(copy), reply, decoded.refusal());
  if (ledger::KeyOf(*decoded) != reply.key || copy.key != identity::KeyOf(reply.conversation).value()) {
    return Lose(reply, "another record stands in its place");
  }
  in_hand_[reply.replies_offset] = reply.key;
  copy.offset = reply.replies_offset;
  const telemetry::TraceContext trace = bus::TraceOf(copy.headers);
  const auto lane = LaneOf(copy.key);
  lane->PushReturned({std::move(copy), *std::move(decoded), trace});
}

// As of such a record in `replies`: a dead letter, whole, before the ledger says that nothing is left to do.
void ParkedReturn::Refuse(bus::Record copy, const ledger::ParkedReplies::Reply& reply, records::Refusal refusal) {
  in_hand_[reply.replies_offset] = reply.key;
  WriteRefused(
      &effects(), context_.metrics,
      {.record = std::make_shared<const bus::Record>(std::move(copy)),
       .refusal = std::move(refusal),
       .is_wanted = [self = shared_from_this()] { return !self->stopped_; },
       .then = [self = shared_from_this(), key = reply.key,
                parked_offset = reply.parked_offset] { self->AppendReturned(key, parked_offset, /*attempt=*/1); }});
}

// Somebody emptied the topic. The conversation must not stand still for it.
void ParkedReturn::Lose(const ledger::ParkedReplies::Reply& reply, std::string_view why) {
  telemetry::LogError("parked_reply_lost", {{"turn", base::ToHex(reply.key.turn_id)},
                                            {"partition", context_.ledger->partition()},
                                            {"parked_offset", reply.parked_offset},
                                            {"why", why},
                                            {"remedy", "keep the topic `parked` for 30 days, as it is created"}});
  in_hand_[reply.replies_offset] = reply.key;
  AppendReturned(reply.key, reply.parked_offset, /*attempt=*/1);
}

std::shared_ptr<SendLane> ParkedReturn::LaneOf(const std::string& key) {
  const auto found = lanes_.find(key);
  if (found != lanes_.end()) return found->second;
  LaneContext context = context_;
  context.mark_done = [self = weak_from_this()](std::int64_t replies_offset) {
    if (const auto kept = self.lock()) kept->OnEnded(replies_offset);
  };
  if (unreported_ == nullptr) {
    unreported_ =
        std::make_shared<UnreportedRecords>(context.effects, context.options.unreported_span_max, context.mark_done);
  }
  context.unreported = unreported_;
  auto lane = std::make_shared<SendLane>(context, [self = weak_from_this(), key] {
    const auto kept = self.lock();
    if (kept == nullptr) return;
    const auto empty = kept->lanes_.find(key);
    if (empty != kept->lanes_.end() && empty->second->empty()) kept->lanes_.erase(empty);
  });
  lanes_[key] = lane;
  return lane;
}

void ParkedReturn::OnEnded(std::int64_t replies_offset) {
  const auto ended = in_hand_.find(replies_offset);
  if (ended == in_hand_.end()) return;
  const ledger::ParkedReplies::Reply* reply = parked().Find(ended->second);
  if (reply == nullptr) {  // another owner has said so already
    in_hand_.erase(ended);
    return;
  }
  context_.metrics->returned_replies.Increment();
  AppendReturned(reply->key, reply->parked_offset, /*attempt=*/1);
}

void ParkedReturn::AppendReturned(const ledger::TurnKey& key, std::int64_t parked_offset, int attempt) {
  effects().AppendLedger(
      context_.ledger->partition(), ledger::MakeReturned(key, parked_offset, effects().WallMs()),
      telemetry::TraceContext::NewRoot(),
      [self = shared_from_this(), key, parked_offset, attempt](const absl::StatusOr<std::int64_t>& offset) {
        if (offset.ok() || self->stopped_) return;  // a successor finds it settled, and says so
        self->context_.metrics->ledger_append_failures.Increment();
        if (JudgeWrite(bus::kSendLedger, offset.status(), attempt) == WriteFailure::kTooLarge) {
          CrashAsTooLarge(bus::kSendLedger, offset.status());
        }
        self->effects().RunAfter(
            base::BackoffDelay(attempt, kRetryInitial, kRetryMax, static_cast<std::uint64_t>(parked_offset)),
            [self, key, parked_offset, attempt] { self->AppendReturned(key, parked_offset, attempt + 1); });
      });
}

}  // namespace sender
