// What befalls whole processes and peers (World::Strike), and how it ends.
#include <chrono>

#include "libs/base/str_cat.h"
#include "tests/sim/sender_process.h"
#include "tests/sim/worker_process.h"
#include "tests/sim/world.h"

namespace sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

void World::StartWorker() {
  workers_.push_back(std::make_unique<WorkerProcess>(this, static_cast<int>(workers_.size())));
  JoinGroups(*workers_.back());
}

void World::StartSender() {
  senders_.push_back(std::make_unique<SenderProcess>(this, static_cast<int>(senders_.size())));
  JoinGroups(*senders_.back());
}

void World::JoinGroups(Process& process) {
  if (auto* worker = dynamic_cast<WorkerProcess*>(&process)) return worker_group.Join(worker->member());
  auto* sender = dynamic_cast<SenderProcess*>(&process);
  sender_group.Join(sender->replies_member());
  status_group.Join(sender->statuses_member());
}

void World::Silence(Process& process) {
  if (auto* worker = dynamic_cast<WorkerProcess*>(&process)) return worker_group.OnSilent(worker->member());
  auto* sender = dynamic_cast<SenderProcess*>(&process);
  sender_group.OnSilent(sender->replies_member());
  status_group.OnSilent(sender->statuses_member());
}

void World::Kill(Process& process) {
  if (!process.alive()) return;
  Trace([&] { return process.name() + " is killed"; });
  process.Kill();
  process.lands_until = time.now() + random.UpTo(2 * latency_max_);
  time.After(random.Chance(0.5) ? session_time : random.UpTo(session_time), [this, &process] { Silence(process); });
  const bool worker = dynamic_cast<WorkerProcess*>(&process) != nullptr;
  time.After(random.UpTo(seconds(5)), [this, worker] { worker ? StartWorker() : StartSender(); });
}

void World::Freeze(Process& process, base::Duration length) {
  if (!process.alive()) return;
  Trace([&] { return base::StrCat(process.name(), " freezes for ", base::ToMs(length), " ms"); });
  process.Freeze(time.now() + length);
  if (length < session_time) return;
  time.After(session_time, [this, &process] {
    if (!process.alive() || !process.frozen()) return;
    Silence(process);
    // Awake again, it hears that the group has gone on without it, and joins anew.
    process.After(random.UpTo(seconds(3)), [this, &process] { JoinGroups(process); });
  });
}

template <typename P>
P* World::AnyAlive(const std::vector<std::unique_ptr<P>>& processes) {
  std::vector<P*> alive;
  for (const auto& process : processes) {
    if (process->alive()) alive.push_back(process.get());
  }
  return alive.empty() ? nullptr : alive[random.Below(alive.size())];
}

void World::Strike(Blow blow) {
  if (healed_) return;
  switch (blow) {
    case Blow::kKillWorker:
      if (Process* worker = AnyAlive(workers_)) Kill(*worker);
      return;
    case Blow::kKillSender:
      if (Process* sender = AnyAlive(senders_)) Kill(*sender);
      return;
    case Blow::kFreezeWorker:
      if (Process* worker = AnyAlive(workers_)) Freeze(*worker, random.UpTo(seconds(40)));
      return;
    case Blow::kFreezeSender:
      if (Process* sender = AnyAlive(senders_)) Freeze(*sender, random.UpTo(seconds(40)));
      return;
    case Blow::kRebalance:
      Trace([] { return std::string("rebalance"); });
      worker_group.Rebalance();
      sender_group.Rebalance();
      return status_group.Rebalance();
    case Blow::kBrokerDown:
      broker_down_until_ = time.now() + random.UpTo(seconds(20));
      return Trace(
          [&] { return base::StrCat("broker down for ", base::ToMs(broker_down_until_ - time.now()), " ms"); });
    case Blow::kStoreDown:
      store_down_until_ = time.now() + random.UpTo(seconds(20));
      return Trace([&] { return base::StrCat("store down for ", base::ToMs(store_down_until_ - time.now()), " ms"); });
    case Blow::kWipeStore:
      Trace([] { return std::string("store emptied"); });
      return store.Wipe();
    case Blow::kLoseTail:
      Trace([] { return std::string("store loses its last writes"); });
      return store.LoseTail(1 + random.Below(4));
    case Blow::kStatusesLate:
      statuses_late_until_ = time.now() + random.UpTo(seconds(20));
      return Trace(
          [&] { return base::StrCat("statuses refused for ", base::ToMs(statuses_late_until_ - time.now()), " ms"); });
    case Blow::kSupersede: {
      TurnFact& turn = turns[random.Below(turns.size())];
      if (turn.turns_offset >= 0) Withdraw(turn, /*attempt=*/1);
      return;
    }
    case Blow::kTokenDies: {
      const base::Duration length = random.UpTo(seconds(40));
      token_dead_until_ = time.now() + length;
      Trace([&] { return base::StrCat("the token dies for ", base::ToMs(length), " ms"); });
      if (random.Chance(0.5)) {  // else it comes to life again, and a probe finds out
        time.After(length, [this] {
          account = std::make_shared<account::Account>(*account);
          account->access_token = crypto::Secret(std::string(account->access_token.Reveal()) + "+");
        });
      }
      return;
    }
    case Blow::kCount:
      return;
  }
}

void World::Heal() {
  Trace([] { return std::string("the faults end"); });
  healed_ = true;
  broker_down_until_ = {};
  store_down_until_ = {};
  token_dead_until_ = {};
}

bool World::AtRest() const {
  for (const TurnFact& turn : turns) {
    if (!turn.acknowledged) return false;
  }
  for (const auto& ledger : ledgers_) {
    if (!ledger->parked().empty()) return false;
  }
  return worker_group.AllCommitted() && sender_group.AllCommitted() && status_group.AllCommitted();
}

}  // namespace sim
