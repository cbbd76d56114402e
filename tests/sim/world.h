#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/account/account.h"
#include "libs/bus/dead_letter.h"
#include "libs/ledger/ledger_state.h"
#include "services/sender/metrics.h"
#include "tests/sim/fake_group.h"
#include "tests/sim/fake_log.h"
#include "tests/sim/fake_store.h"
#include "tests/sim/faults.h"
#include "tests/sim/random.h"
#include "tests/sim/screen.h"
#include "tests/sim/timeline.h"

namespace sim {

class SenderProcess;
class WorkerProcess;

// One message of a user, and what the world knows of it.
struct TurnFact {
  int number = 0;
  std::string name;  // "t0"
  std::string turn_id;
  std::string user;
  int partition = 0;
  int parts = 1;                       // of its answer
  std::int64_t turns_offset = -1;      // of its first record
  bool acknowledged = false;           // the platform got its 200
  std::int64_t supersede_offset = -1;  // of the first record in `replies` that withdraws it
};

struct DeadLetterFact {
  std::string topic;  // of the origin
  int turn = -1;
  bus::DeadLetterReason reason{};
};

// One schedule: a few users, two or three workers and senders on one log, and everything that may go wrong between
// them, all decided by the seed. After kFaultsLast the faults end; then everything must come to rest, and the
// invariants hold.
//
// The world is open to its processes, which are part of it; tests only make one, Run it and look.
class World {
 public:
  World(std::uint64_t seed, Mistake mistake, const sender::Metrics* metrics, std::ostream* trace);
  ~World();

  // True: everything came to rest in time (I6).
  bool Run();

  // --- what happened ---
  std::vector<TurnFact> turns;
  std::vector<DeadLetterFact> dead_letters;
  std::set<int> dropped;         // turns, on `audit`
  std::set<int> sent_after_all;  // turns, on `audit`
  std::set<int> requeued;        // turns, by the operator

  // --- the parts ---
  Timeline time;
  Random random;
  const Mistake mistake;
  const sender::Metrics* const metrics;
  FaultRates rates;
  FakeLog log;
  FakeStore store;
  Screen screen;
  FakeGroup worker_group;
  FakeGroup sender_group;
  FakeGroup status_group;
  std::shared_ptr<account::Account> account;
  const base::Duration session_time;

  // --- for the processes ---
  bool healed() const { return healed_; }
  bool BrokerDown() const { return time.now() < broker_down_until_; }
  bool TokenDead() const { return time.now() < token_dead_until_; }
  bool StoreDown() const { return time.now() < store_down_until_; }
  base::Duration Latency() { return random.UpTo(latency_max_); }
  bool GapHappens() { return !healed_ && random.Chance(rates.gap); }
  bool SeekFails() { return !healed_ && random.Chance(rates.seek); }
  bool SplitsAnswers() const { return splits_answers_; }
  int NextRun() { return ++runs_; }  // numbers the engine's answers: each says it in words of its own

  // What becomes of a call that `caller` makes now; may kill or freeze the caller on the way.
  Fate FateOf(Process& caller);
  // One call: `effect` when it arrives, `answer` in the caller when it is answered or given up. `up`: somebody listens.
  void Call(Process& caller, bool up, std::function<void()> effect, std::function<void(bool answered)> answer);
  // Appends by a process's producer, whose records stay in order; `land` appends and gives the offset.
  using Delivered = std::function<void(absl::StatusOr<std::int64_t>)>;
  void Produce(Process& caller, std::function<std::int64_t()> land, Delivered on_done);
  // A status webhook of the platform: through a gateway to the log, again and again until it is taken.
  void SendStatus(std::size_t shown, mesh::bus::v1::DeliveryState state);

  TurnFact* FindTurn(const std::string& turn_id);
  mesh::bus::v1::ConversationId Conversation(const TurnFact& turn) const;
  std::string KeyOf(const TurnFact& turn) const;

  template <typename Line>
  void Trace(const Line& line) {
    if (trace_ != nullptr) Tell(line());
  }

 private:
  enum class Blow {
    kKillWorker,
    kKillSender,
    kFreezeWorker,
    kFreezeSender,
    kRebalance,
    kBrokerDown,
    kStoreDown,
    kWipeStore,
    kLoseTail,
    kStatusesLate,
    kSupersede,
    kTokenDies,
    kCount
  };

  void SetRates();
  void AddUsers();
  void Accept(int turn, int attempt);  // a webhook, tried again until it is acknowledged
  void Withdraw(TurnFact& turn, int attempt);
  void StartWorker();
  void StartSender();
  void Strike(Blow blow);
  void Kill(Process& process);
  void Freeze(Process& process, base::Duration time);
  void JoinGroups(Process& process);
  void Silence(Process& process);
  void Heal();
  void RequeueParked();
  bool RunToRest(base::MonotonicTime limit);
  bool AtRest() const;
  template <typename P>
  P* AnyAlive(const std::vector<std::unique_ptr<P>>& processes);
  void Tell(const std::string& line);

  std::vector<std::unique_ptr<ledger::LedgerState>> ledgers_;  // by partition, as an onlooker reads them
  std::ostream* const trace_;
  base::Duration latency_max_{};
  bool splits_answers_ = false;
  bool healed_ = false;
  base::MonotonicTime broker_down_until_{};
  base::MonotonicTime store_down_until_{};
  base::MonotonicTime statuses_late_until_{};
  base::MonotonicTime token_dead_until_{};
  int runs_ = 0;
  std::vector<std::unique_ptr<WorkerProcess>> workers_;
  std::vector<std::unique_ptr<SenderProcess>> senders_;
};

}  // namespace sim
