#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "libs/telemetry/metrics.h"
#include "services/sender/sender_core.h"
#include "services/sender/status_coverage.h"
#include "tests/fakes/small_graph.h"

namespace sender {

// A made-up world for the sender's state machines: one partition of `replies` and of `send-ledger`, the Graph API with
// the user's screen, delivery statuses, time. Any number of sender processes live in it; each can be killed, frozen out
// (a zombie that does not know that it lost the partition) or started at any moment.
//
// Everything that takes time takes a random time from the seed, so events of different kinds interleave in every order;
// what Kafka promises is kept: records of one producer stay in order, a reader sees them in order.
class World;

using fakes::GraphBehaviour;

class Process final : public Effects {
 public:
  Process(World* world, int number, const CoreOptions& options);

  SenderCore& core() { return *core_; }
  const std::shared_ptr<Lease>& lease() const { return lease_; }
  const Metrics& metrics() const { return metrics_; }
  bool alive() const { return alive_; }

  base::MonotonicTime Now() const override;
  std::int64_t WallMs() const override;
  void RunAfter(base::Duration delay, std::function<void()> task) override;
  void AppendLedger(std::int32_t partition, const ledger::LedgerEntry& entry, const telemetry::TraceContext& trace,
                    Appended on_done) override;
  void Post(Send send, std::function<void(http::ClientResult)> on_done) override;
  void WriteDeadLetter(const bus::Record& origin, bus::DeadLetterReason reason, std::string_view detail,
                       std::uint32_t attempts, Written on_done) override;
  void WriteParked(const bus::Record& origin, ParkReason reason, Appended on_done) override;
  void ReadParked(std::int32_t partition, const std::vector<std::int64_t>& offsets,
                  std::function<void(absl::StatusOr<std::vector<bus::Record>>)> on_done) override;
  void WriteReply(const std::string& conversation_key, const mesh::bus::v1::ReplyRecord& record,
                  const telemetry::TraceContext& trace, Written on_done) override;
  void WriteAudit(const mesh::bus::v1::AuditRecord& audit, const telemetry::TraceContext& trace,
                  Written on_done) override;
  void ReportOutcome(const mesh::session::v1::SetOutcomeRequest& report, const telemetry::TraceContext& trace,
                     std::function<void()> on_answered) override;
  std::shared_ptr<const account::Account> FindAccount(const mesh::bus::v1::ConversationId& conversation) const override;
  const channel::Codec* FindCodec(mesh::bus::v1::Channel channel) const override;
  base::Duration StatusesCoveredSince(std::int32_t partition, base::MonotonicTime since) override;

 private:
  friend class World;
  void AskAboutStatuses();
  void Write(const absl::Status& refused, std::function<void()> land, Written on_done);
  void ReadLedgerOn();
  void ReadParkedOn(std::uint64_t number);
  void EndReadingParked(std::uint64_t number, const absl::StatusOr<std::vector<bus::Record>>& copies);
  void Mine(base::Duration delay, std::function<void()> task);  // dropped when this process has died by then

  World* const world_;
  const int number_;
  telemetry::Registry registry_;
  Metrics metrics_;
  std::shared_ptr<Lease> lease_;
  std::unique_ptr<SenderCore> core_;
  std::size_t ledger_read_ = 0;  // next index
  bool reading_ = false;
  bool alive_ = true;
  bool revoke_pending_ = false;
  struct ParkedReading {
    std::vector<std::int64_t> offsets;
    std::function<void(absl::StatusOr<std::vector<bus::Record>>)> on_done;
  };
  ParkedReading parked_reading_;       // one at a time: a new one takes its place
  std::uint64_t parked_readings_ = 0;  // ever begun
  StatusCoverage coverage_{std::chrono::seconds(3)};
  base::MonotonicTime coverage_wanted_at_;
  bool asking_ = false;                   // the broker how far `statuses` has been read
  base::MonotonicTime producer_free_at_;  // keeps this producer's records in order
};

class World {
 public:
  explicit World(std::uint64_t seed);
  ~World();

  struct Shown {  // one message on the user's screen
    std::string reply_id_hex;
    std::string user;
    std::string text;
    std::string message_id;
  };
  struct Dead {
    bus::DeadLetterReason reason;
    bus::Record origin;
  };

  // Knobs
  CoreOptions options;
  account::Account account;
  bool account_configured = true;
  std::map<std::string, std::string> account_of_user;  // account id; `account`'s where it says nothing
  std::set<std::string> hosts_away;                    // ids of accounts whose host takes no connection
  std::function<GraphBehaviour(int post_number)> graph = [](int) { return GraphBehaviour::kAccept; };
  std::string refused_text = "\n";        // words that are never taken; none has a line break alone
  bool statuses_flow = true;              // whether the platform's webhooks come
  bool session_away = false;              // reports wait until it is back
  std::set<std::int64_t> parked_gone;     // offsets that `parked` does not hold any more
  std::set<std::int64_t> parked_skipped;  // offsets that the next read passes over, once each
  bool parked_away = false;               // no leader: a read of `parked` brings nothing
  double append_failure_rate = 0;         // reports Unavailable; half of these records are in the log all the same
  // Not OK: the broker refuses a record of this many bytes for this topic (without prefix), for good.
  std::function<absl::Status(std::string_view topic, std::size_t bytes)> refuse = [](std::string_view, std::size_t) {
    return absl::OkStatus();
  };
  base::Duration delay_max = std::chrono::milliseconds(20);
  base::Duration client_delay_max = std::chrono::milliseconds(20);  // from Post to the first byte

  // Processes. The new owner is assigned at once; whoever held the partition before is not told unless Revoke is
  // called.
  Process& StartOwner();
  Process& Reassign(Process& process);  // the same process is assigned the partition once more
  void Revoke(Process& process);
  void Kill(Process& process);

  // The sender that reads `statuses`, whichever it is, stops doing so for a while.
  void StallStatuses(base::Duration duration) {
    statuses_stalled_until_ = std::max(statuses_stalled_until_, now + duration);
  }
  // Nothing can be written to any topic or asked of it for a while; the platform repeats the webhooks that come then.
  void BreakBroker(base::Duration duration) { broker_down_until_ = std::max(broker_down_until_, now + duration); }
  bool broker_down() const { return now < broker_down_until_; }

  // Appends to `replies` what the model said, or a notice; text parts are separated by '|'. Returns the offset.
  std::int64_t Say(const std::string& user, const std::string& turn, const std::string& text,
                   std::uint32_t generation = 0, mesh::bus::v1::ReplyKind kind = mesh::bus::v1::REPLY_KIND_ANSWER);
  // The same with more in it; turn id and conversation are filled in.
  std::int64_t Say(const std::string& user, const std::string& turn, mesh::bus::v1::Reply reply);
  std::int64_t WallMs() const;
  std::int64_t Withdraw(const std::string& user, const std::string& turn,
                        mesh::bus::v1::DropPolicy policy = mesh::bus::v1::DROP_POLICY_UNSPECIFIED);
  // The platform's webhook about a message on the screen.
  void TellStatus(const Shown& message, mesh::bus::v1::DeliveryState state);
  std::int64_t AppendRaw(const std::string& key, const std::string& value);

  // Runs events until `until` holds or nothing is left to happen before `limit` has passed. True when `until` held.
  bool RunUntil(const std::function<bool()>& until, base::Duration limit = std::chrono::hours(2));
  void RunFor(base::Duration duration);
  void RunEvents(int count);  // the next so many events, whatever they are

  bool AllDone() const { return done.size() == replies.size(); }
  // And nothing waits in `parked` for its account.
  bool NothingLeft() const { return AllDone() && observer_.parked().empty(); }
  const ledger::LedgerState& observer() const { return observer_; }  // what the ledger says, void records left out
  std::vector<std::string> TextsOf(const std::string& user) const;
  std::vector<mesh::session::v1::Outcome> OutcomesOf(const std::string& turn) const;
  // What the reports together say that was said, as session keeps it: the newest generation's lowest offset.
  std::string HistoryTextOf(const std::string& turn) const;
  std::vector<mesh::bus::v1::LedgerRecord> Ledger() const;
  static std::string TurnId(const std::string& turn);
  mesh::bus::v1::ConversationId Conversation(const std::string& user) const;
  double InDoubtCount(std::string_view resolution) const;  // over all processes ever

  // What happened
  std::vector<std::pair<std::string, mesh::bus::v1::LedgerRecord>> ledger;  // key, record; index = offset
  std::vector<bus::Record> replies;
  std::vector<bus::Record> parked;  // index = offset
  std::vector<Dead> dead_letters;
  std::vector<mesh::bus::v1::PolicyDrop> dropped;
  std::vector<mesh::bus::v1::SentAfterAll> sent_after_all;
  std::vector<Shown> shown;
  std::vector<mesh::session::v1::SetOutcomeRequest> reported;
  std::set<std::int64_t> done;
  int posts = 0;
  base::MonotonicTime now{};

 private:
  friend class Process;
  void At(base::MonotonicTime when, std::function<void()> task) { events_.emplace(when, std::move(task)); }
  base::Duration Random(base::Duration max);
  bool Chance(double probability);
  std::int64_t AppendToLedger(const ledger::LedgerEntry& entry);
  void Show(const Effects::Send& send, std::string* message_id);
  void Webhook(const mesh::bus::v1::DeliveryStatus& status);
  void ReadStatuses();
  void Feed(Process& process);
  void Deliver(Process& process, std::int64_t offset);
  bool RunOne();

  std::mt19937_64 rng_;
  ledger::LedgerState observer_{/*settled_detail_max=*/1 << 20};
  std::multimap<base::MonotonicTime, std::function<void()>> events_;
  std::vector<std::unique_ptr<Process>> processes_;
  Process* owner_ = nullptr;
  std::deque<mesh::bus::v1::DeliveryStatus> statuses_unread_;
  std::int64_t statuses_end_ = 0;  // of the topic
  std::int64_t statuses_committed_ = 0;
  base::MonotonicTime statuses_stalled_until_;
  base::MonotonicTime broker_down_until_;
  int assignment_ = 0;  // records fetched under an earlier one are not delivered any more
};

}  // namespace sender
