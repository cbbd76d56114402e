#include "tests/sim/world.h"

#include <algorithm>
#include <chrono>
#include <ostream>

#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/crypto/digest.h"
#include "libs/identity/identity.h"
#include "tests/sim/sender_process.h"
#include "tests/sim/worker_process.h"

namespace sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kPartitions = 2;
constexpr base::Duration kFaultsLast = seconds(60);
constexpr base::Duration kRestWithin = std::chrono::hours(4);  // I6: after the faults end
constexpr base::Duration kQuiet = seconds(40);  // late statuses and reports after everything is committed
constexpr base::Duration kWebhookRetryMin = seconds(2);
constexpr base::Duration kWebhookRetryMax = seconds(10);

}  // namespace

World::World(std::uint64_t seed, Mistake with_mistake, const sender::Metrics* with_metrics, std::ostream* trace)
    : random(seed),
      mistake(with_mistake),
      metrics(with_metrics),
      log(kPartitions),
      screen(this),
      worker_group(this, Topic::kTurns),
      sender_group(this, Topic::kReplies),
      status_group(this, Topic::kStatuses),
      account(std::make_shared<account::Account>()),
      session_time(seconds(10)),
      trace_(trace) {
  account->tenant = "acme";
  account->channel = mesh::bus::v1::CHANNEL_WHATSAPP;
  account->account_id = "1001";
  account->access_token = crypto::Secret("token");
  account->notice_text = "sorry";
  account->sends_per_second_max = 1000;
  account->user_sends_per_second_max = 1000;
  account->user_burst_max = 1000;
  SetRates();
  AddUsers();
  for (int partition = 0; partition < kPartitions; ++partition) {
    ledgers_.push_back(std::make_unique<ledger::LedgerState>(/*settled_detail_max=*/1000));
  }
  log.OnLedgerAppend([this](int partition) {
    const auto& rows = log.ledger(partition);
    ledgers_[static_cast<std::size_t>(partition)]->Apply(static_cast<std::int64_t>(rows.size()) - 1,
                                                         *rows.back().record);
  });
}

World::~World() {
  for (const auto& worker : workers_) worker->Kill();
  for (const auto& sender : senders_) sender->Kill();
  time.Clear();  // tasks hold lanes, which refer to their process
}

void World::SetRates() {
  const auto pick = [this](std::initializer_list<double> from) { return *(from.begin() + random.Below(from.size())); };
  latency_max_ = milliseconds(static_cast<int>(pick({5, 30, 200})));
  rates.call = pick({0, 0.02, 0.1});
  rates.crash = pick({0, 0, 0.01, 0.03});
  rates.freeze = pick({0, 0, 0.005, 0.01});
  rates.graph = pick({0, 0.2, 0.5});
  rates.engine = pick({0, 0.1, 0.3});
  rates.gap = pick({0, 0, 0.02});
  rates.seek = pick({0, 0, 0.3});
  rates.blows = static_cast<int>(random.Below(5));
  splits_answers_ = random.Chance(0.4);
  account->in_doubt_policy = random.Chance(0.85) ? "resend" : "park";
  account->turn_deadline_s = random.Chance(0.5) ? 15 : 100'000;
}

void World::AddUsers() {
  const std::uint64_t count = 2 + random.Below(4);
  for (std::uint64_t number = 0; number < count; ++number) {
    TurnFact turn;
    turn.number = static_cast<int>(number);
    turn.name = base::StrCat("t", number);
    turn.turn_id = crypto::AsBytes(crypto::Sha256(turn.name));
    turn.user = random.Chance(0.7) ? "ann" : "bob";
    turn.partition = turn.user == "ann" ? 0 : 1;
    turn.parts = splits_answers_ ? 1 + static_cast<int>(random.Below(2)) : 1;
    turns.push_back(std::move(turn));
  }
}

bool World::Run() {
  for (int index = 0; index < 2; ++index) {
    StartWorker();
    StartSender();
  }
  for (const TurnFact& turn : turns) {
    time.After(random.UpTo(seconds(20)), [this, number = turn.number] { Accept(number, /*attempt=*/1); });
  }
  for (int blow = 0; blow < rates.blows; ++blow) {
    const auto kind = static_cast<Blow>(random.Below(static_cast<std::uint64_t>(Blow::kCount)));
    time.After(random.UpTo(kFaultsLast), [this, kind] { Strike(kind); });
  }
  const base::MonotonicTime faults_end = time.now() + kFaultsLast;
  time.At(faults_end, nullptr, [this] { Heal(); });
  const base::MonotonicTime limit = faults_end + kRestWithin;
  if (!RunToRest(limit)) return false;
  const base::MonotonicTime end = time.now() + kQuiet;
  while (!time.empty() && time.next_at() <= end) time.RunNext();
  if (!RunToRest(limit)) return false;
  RequeueParked();
  return RunToRest(limit);
}

// The operator, with `meshctl parked requeue --all`: what was parked in doubt, and no status has told of since.
void World::RequeueParked() {
  for (int partition = 0; partition < kPartitions; ++partition) {
    const ledger::LedgerState& ledger = *ledgers_[static_cast<std::size_t>(partition)];
    const std::vector<bus::Record> copies = log.records(Topic::kParked, partition);
    for (const bus::Record& copy : copies) {
      mesh::bus::v1::ReplyRecord value;
      const bool in_doubt =
          bus::FindHeader(copy.headers, sender::kParkReasonHeader) == ToString(sender::ParkReason::kInDoubt);
      if (!in_doubt || !value.ParseFromString(copy.value)) continue;
      const ledger::PlannedTurn* planned = ledger.Find(ledger::KeyOf(value.reply()));
      if (planned == nullptr || !planned->Parked()) continue;
      value.mutable_reply()->set_generation(value.reply().generation() + 1);
      bus::Record record;
      record.key = copy.key;
      record.value = value.SerializeAsString();
      const int turn = FindTurn(value.reply().turn_id())->number;
      requeued.insert(turn);
      const std::int64_t offset = log.Append(Topic::kReplies, partition, std::move(record));
      Trace([&] { return base::StrCat("t", turn, " is requeued, replies/", partition, "@", offset); });
    }
  }
}

bool World::RunToRest(base::MonotonicTime limit) {
  while (!healed_ || !AtRest()) {
    if (time.empty() || time.next_at() > limit) {
      Trace([&] { return worker_group.Unfinished() + sender_group.Unfinished() + status_group.Unfinished(); });
      return false;
    }
    time.RunNext();
  }
  return true;
}

// The gateway: one record a webhook, 200 only when it is in the log. What isn't acknowledged is sent again.
void World::Accept(int number, int attempt) {
  TurnFact& turn = turns[static_cast<std::size_t>(number)];
  const bool fails = BrokerDown() || (!healed_ && random.Chance(rates.call));
  const bool lands = !BrokerDown() && (!fails || random.Chance(0.5));
  if (lands) {
    bus::Record record;
    record.key = KeyOf(turn);
    record.value = turn.turn_id;
    const std::int64_t offset = log.Append(Topic::kTurns, turn.partition, std::move(record));
    if (turn.turns_offset < 0) turn.turns_offset = offset;
    Trace([&] { return base::StrCat(turn.user, " says ", turn.name, ", turns/", turn.partition, "@", offset); });
  }
  turn.acknowledged |= !fails;
  // The platform now and then tries again what it had an answer to.
  if (fails || (!healed_ && attempt == 1 && random.Chance(0.15))) {
    time.After(random.Between(kWebhookRetryMin, kWebhookRetryMax),
               [this, number, attempt] { Accept(number, attempt + 1); });
  }
}

void World::Withdraw(TurnFact& turn, int attempt) {
  if (BrokerDown() || attempt > 3) return;
  mesh::bus::v1::ReplyRecord value;
  value.mutable_supersede()->set_turn_id(turn.turn_id);
  if (turn.number % 3 == 0) {  // by a policy: no other turn is in place of it
    value.mutable_supersede()->set_policy(mesh::bus::v1::DROP_POLICY_HANDOFF);
  } else {
    value.mutable_supersede()->set_by_turn_id(std::string(crypto::AsBytes(crypto::Sha256(turn.name + "+"))));
  }
  *value.mutable_supersede()->mutable_conversation() = Conversation(turn);
  bus::Record record;
  record.key = KeyOf(turn);
  record.value = value.SerializeAsString();
  const std::int64_t offset = log.Append(Topic::kReplies, turn.partition, std::move(record));
  if (turn.supersede_offset < 0) turn.supersede_offset = offset;
  Trace([&] { return base::StrCat(turn.name, " is withdrawn, replies/", turn.partition, "@", offset); });
  if (random.Chance(0.2)) {  // the answer was lost
    time.After(Latency(), [this, &turn, attempt] { Withdraw(turn, attempt + 1); });
  }
}

void World::SendStatus(std::size_t shown, mesh::bus::v1::DeliveryState state) {
  const bool refused = BrokerDown() || time.now() < statuses_late_until_ || (!healed_ && random.Chance(rates.call));
  if (!refused || (!BrokerDown() && random.Chance(0.3))) {
    mesh::bus::v1::DeliveryStatus status;
    const Screen::Message& message = screen.shown()[shown];
    const TurnFact& turn = turns[static_cast<std::size_t>(message.turn)];
    *status.mutable_conversation() = Conversation(turn);
    status.set_message_id(message.message_id);
    status.set_reply_id_hex(message.reply_id_hex);
    status.set_state(state);
    status.set_accepted_at_ms(base::ToMs(time.now().time_since_epoch()));
    bus::Record record;
    record.key = KeyOf(turn);
    record.value = status.SerializeAsString();
    screen.NoteStatus(shown, log.Append(Topic::kStatuses, turn.partition, std::move(record)));
  }
  if (!refused) return;
  time.After(random.Between(kWebhookRetryMin, kWebhookRetryMax), [this, shown, state] { SendStatus(shown, state); });
}

Fate World::FateOf(Process& caller) {
  if (healed_) return Fate::kDone;
  if (random.Chance(rates.crash)) {
    time.At(time.now() + random.UpTo(3 * latency_max_), &caller, [this, &caller] { Kill(caller); });
  }
  if (random.Chance(rates.freeze)) {
    time.At(time.now() + random.UpTo(3 * latency_max_), &caller,
            [this, &caller] { Freeze(caller, random.UpTo(seconds(60))); });
  }
  if (!random.Chance(rates.call)) return Fate::kDone;
  return random.Chance(0.5) ? Fate::kNotDone : Fate::kDoneUnanswered;
}

void World::Call(Process& caller, bool up, std::function<void()> effect, std::function<void(bool)> answer) {
  const Fate fate = up ? FateOf(caller) : Fate::kNotDone;
  const base::Duration there = Latency();
  if (fate != Fate::kNotDone) time.After(there, std::move(effect));
  caller.After(there + base::Duration(1) + Latency(),
               [fate, answer = std::move(answer)] { answer(fate == Fate::kDone); });
}

void World::Produce(Process& caller, std::function<std::int64_t()> land, Delivered on_done) {
  if (!caller.alive()) return;
  const Fate fate = BrokerDown() ? Fate::kNotDone : FateOf(caller);
  const base::Duration wait = BrokerDown() ? base::Duration(seconds(1)) : base::Duration();
  caller.producer_free_at = std::max(caller.producer_free_at, time.now()) + Latency() + base::Duration(1);
  auto offset = std::make_shared<std::int64_t>(-1);
  if (fate != Fate::kNotDone) {
    time.At(caller.producer_free_at, nullptr, [this, &caller, land = std::move(land), offset] {
      if (caller.alive() || time.now() <= caller.lands_until) *offset = land();
    });
  }
  caller.After(caller.producer_free_at - time.now() + wait + Latency(), [fate, offset, on_done = std::move(on_done)] {
    if (fate == Fate::kDone) return on_done(*offset);
    on_done(absl::UnavailableError("no delivery report"));
  });
}

TurnFact* World::FindTurn(const std::string& turn_id) {
  const auto found =
      std::find_if(turns.begin(), turns.end(), [&](const TurnFact& turn) { return turn.turn_id == turn_id; });
  return found == turns.end() ? nullptr : &*found;
}

mesh::bus::v1::ConversationId World::Conversation(const TurnFact& turn) const {
  mesh::bus::v1::ConversationId conversation;
  conversation.set_tenant(account->tenant);
  conversation.set_channel(account->channel);
  conversation.set_account(account->account_id);
  conversation.set_user(turn.user);
  return conversation;
}

std::string World::KeyOf(const TurnFact& turn) const { return identity::KeyOf(Conversation(turn)).value(); }

void World::Tell(const std::string& line) {
  *trace_ << base::StrCat(base::ToMs(time.now().time_since_epoch()) - 1'000'000, " ms  ", line, "\n");
}

}  // namespace sim
