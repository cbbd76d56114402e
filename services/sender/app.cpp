#include "services/sender/app.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "libs/account/reload_failures.h"
#include "libs/app/drain_time.h"
#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/bus/topics.h"
#include "libs/crypto/random.h"
#include "libs/telemetry/log.h"

namespace sender {
namespace {

constexpr std::string_view kService = "sender";
constexpr base::Duration kTick = std::chrono::seconds(1);
constexpr std::int64_t kLedgerStalledMax_s = 15;
// Nobody waits for a status: it becomes evidence about a send whose outcome is known, or is in doubt for
// --reconcile-ms. Gathered, statuses cost the broker a fraction of one fetch, one produce and one read-back each.
constexpr std::int32_t kStatusFetchBytesMin = 64 << 10;
constexpr base::Duration kStatusFetchWaitMax = std::chrono::seconds(1);
constexpr base::Duration kStatusWatchInterval = std::chrono::seconds(1);

// How much of a drain's time may be gone by the end of each step; of the default 25 s these are 15, 19 and 20. Most is
// for the sends in flight, which a Graph API call of --post-timeout-ms and its record in the ledger fit into. The last
// fifth is for the ends of what waits for the broker itself: producer, readers and members.
constexpr double kSendsShare = 0.6;
constexpr double kLeaveShare = 0.76;
constexpr double kFlushShare = 0.8;

// What may be posted to the loop at once: each record in hand has at most a few callbacks and timers under way, and the
// ledger's reader has its own bound. A guard against an error in those bounds, not a reservation.
std::size_t LoopBacklogMax(const Options& options) {
  return static_cast<std::size_t>(options.window_records_max) * 1024 + (1 << 17);
}

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

}  // namespace

App::App(const Options& options, app::Runner& runner)
    : options_(options), runner_(runner), metrics_(runner.metrics()) {}

App::~App() {
  topic_check_.reset();
  if (loop_ != nullptr) loop_->Stop();  // what is posted refers to the parts below
}

absl::Status App::Start() {
  if (absl::Status status = ValidateOptions(options_); !status.ok()) return status;
  if (absl::Status status = OpenParts(); !status.ok()) return status;
  topic_check_ = std::make_unique<bus::TopicCheck>(options_.bus, bus::TopicCheckTimes{},
                                                   [this](std::int32_t partitions) { return JoinGroups(partitions); });
  loop_->Post([this] { Tick(); });
  std::lock_guard lock(parts_mutex_);
  started_ = true;
  return absl::OkStatus();
}

absl::Status App::OpenParts() {
  absl::StatusOr<std::unique_ptr<account::AccountFile>> accounts = account::AccountFile::Open(options_.accounts);
  if (!accounts.ok()) return accounts.status();
  accounts_ = *std::move(accounts);
  account::ExportReloadFailures(accounts_, kService, runner_.metrics());
  loop_ = std::make_unique<app::EventLoop>(LoopBacklogMax(options_));
  session_ = session::Client::Create(options_.session_target, options_.session_throttle_k);
  reporter_ = std::make_unique<OutcomeReporter>(loop_.get(), session_.get(), &metrics_);
  absl::StatusOr<std::unique_ptr<bus::Producer>> producer =
      bus::Producer::Create(options_.bus, bus::ProducerOptions{}, kService, runner_.metrics());
  if (!producer.ok()) return producer.status();
  producer_ = *std::move(producer);

  LiveEffects::Parts parts;
  parts.loop = loop_.get();
  parts.producer = producer_.get();
  parts.reporter = reporter_.get();
  parts.accounts = accounts_.get();
  parts.clock = &base::Clock::Real();
  status_watch_ = std::make_unique<StatusWatch>(
      options_.bus, bus::StatusesGroup(options_.group), bus::TopicName(options_.bus, bus::kStatuses),
      std::min<base::Duration>(kStatusWatchInterval, std::chrono::milliseconds(options_.reconcile_ms) / 8),
      &base::Clock::Real());
  parts.status_watch = status_watch_.get();
  parts.bus = options_.bus;
  effects_ = std::make_unique<LiveEffects>(std::move(parts));
  core_ = std::make_unique<SenderCore>(CoreOptionsOf(options_), effects_.get(), PortsOfCore(), &metrics_);
  absl::StatusOr<std::unique_ptr<LedgerLog>> ledger =
      LedgerLog::Open(options_.bus, loop_.get(), producer_.get(), &metrics_,
                      [this](std::int32_t partition, std::int64_t offset, const mesh::bus::v1::LedgerRecord& record) {
                        core_->OnLedgerRecord(partition, offset, record);
                      });
  if (!ledger.ok()) return ledger.status();
  ledger_ = *std::move(ledger);
  absl::StatusOr<std::unique_ptr<ParkedReader>> parked = ParkedReader::Open(options_.bus, loop_.get());
  if (!parked.ok()) return parked.status();
  parked_ = *std::move(parked);
  http::ClientOptions http;
  http.connections_per_host_max = options_.connections_per_host_max;
  http.ca_file = options_.ca_file;
  absl::StatusOr<std::unique_ptr<http::Client>> client = http::Client::Create(http, kService, runner_.metrics());
  if (!client.ok()) return client.status();
  http_ = *std::move(client);
  effects_->parts().ledger = ledger_.get();
  effects_->parts().parked = parked_.get();
  effects_->parts().http = http_.get();
  intake_ = std::make_unique<ReplyIntake>(loop_.get(), core_.get(), bus::TopicName(options_.bus, bus::kReplies),
                                          ReplyWindowOf(options_));
  return absl::OkStatus();
}

SenderCore::Ports App::PortsOfCore() {
  SenderCore::Ports ports;
  ports.instance = "sender-" + base::ToHex(crypto::RandomBytes(8));
  ports.read_ledger = [this](std::int32_t partition) { ledger_->Read(partition); };
  ports.on_owned = [this](std::int32_t partition) { intake_->OnOwned(partition); };
  ports.mark_done = [this](std::int32_t partition, std::int64_t offset) { intake_->MarkDone(partition, offset); };
  return ports;
}

absl::Status App::JoinGroups(std::int32_t partitions) {
  loop_->Post([this, partitions] { core_->SetPartitionsTotal(partitions); });
  if (statuses_ == nullptr) {
    statuses_ = std::make_unique<StatusConsumer>(options_.bus, partitions, loop_.get(), producer_.get(), &metrics_,
                                                 &base::Clock::Real());
  }
  bus::ConsumerOptions consume;
  consume.static_member_id = options_.static_member_id;
  consume.session_timeout = std::chrono::milliseconds(options_.session_timeout_ms);
  consume.group = options_.group;
  consume.topics = {bus::TopicName(options_.bus, bus::kReplies)};
  absl::StatusOr<std::unique_ptr<bus::Consumer>> replies =
      bus::Consumer::Create(options_.bus, consume, intake_.get(), kService, runner_.metrics());
  if (!replies.ok()) return replies.status();
  consume.group = bus::StatusesGroup(options_.group);
  consume.topics = {bus::TopicName(options_.bus, bus::kStatuses)};
  consume.fetch_bytes_min = kStatusFetchBytesMin;
  consume.fetch_wait_max =
      std::min<base::Duration>(kStatusFetchWaitMax, std::chrono::milliseconds(options_.reconcile_ms) / 4);
  absl::StatusOr<std::unique_ptr<bus::Consumer>> statuses =
      bus::Consumer::Create(options_.bus, consume, statuses_.get(), kService, runner_.metrics());
  if (!statuses.ok()) return statuses.status();
  statuses_consumer_ = *std::move(statuses);
  replies_consumer_ = *std::move(replies);
  statuses_->SetConsumer(statuses_consumer_.get());
  intake_->SetConsumer(replies_consumer_.get());
  statuses_consumer_->Start();
  replies_consumer_->Start();
  joined_ = true;
  return absl::OkStatus();
}

void App::Tick() {
  core_->Tick();
  unowned_ = core_->unowned_count();
  parked_accounts_ = core_->parked_accounts_count();
  ticks_without_read_back_ = core_->awaited_count() == 0 ? 0 : ticks_without_read_back_ + 1;
  ledger_stalled_s_ = ticks_without_read_back_;
  loop_->PostAfter(kTick, [this] { Tick(); });
}

void App::Drain(base::MonotonicTime deadline) {
  const app::DrainTime time(Now(), deadline);
  runner_.WaitsFor("the check of the topics");
  if (topic_check_ == nullptr) return;
  topic_check_->Stop();  // waits only while the groups are not joined, and then there is nothing else to wait for
  runner_.WaitsFor("sends in flight");
  loop_->RunSync([this] { core_->Drain(); });
  WaitForSendsInFlight(time.Until(kSendsShare));
  status_watch_->Stop();
  runner_.WaitsFor("the consumer groups");
  if (joined_) LeaveGroups(time.Until(kLeaveShare));
  runner_.WaitsFor("records on their way");
  const absl::Status flushed = producer_->Flush(time.Until(kFlushShare));
  if (!flushed.ok()) telemetry::LogWarning("flush_incomplete", {{"error", flushed.ToString()}});
  std::lock_guard lock(parts_mutex_);
  started_ = false;
  // The loop first: its last tasks refer to the parts. What these still call back is refused by the stopped loop.
  loop_->Stop();
  status_watch_.reset();
  ledger_.reset();
  parked_.reset();
  http_.reset();
  session_.reset();
  producer_.reset();
}

// A claim that is left behind costs its next owner the whole reconciliation time, so what is claimed is finished first.
void App::WaitForSendsInFlight(base::MonotonicTime deadline) {
  std::size_t busy = 1;
  std::size_t reports = 0;
  while (busy + reports > 0 && Now() < deadline) {
    loop_->RunSync([&] {
      busy = core_->busy_count();
      // While the session service is away its reports are not worth the wait: the ledger has the truth.
      reports = session_->connected() ? reporter_->under_way() : 0;
    });
    if (busy + reports > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  telemetry::LogInfo("drained", {{"sends_left", busy}, {"reports_left", reports}});
}

// Side by side: with the broker away each takes all the time that it has.
void App::LeaveGroups(base::MonotonicTime deadline) {
  std::thread statuses([this, deadline] { statuses_consumer_->Stop(deadline); });
  replies_consumer_->Stop(deadline);
  statuses.join();
}

bool App::alive() const {
  std::lock_guard lock(parts_mutex_);
  return !started_ || (loop_->alive() && (!joined_ || (replies_consumer_->polling() && statuses_consumer_->polling())));
}

// With the broker away replies wait in the log or here; with session away they are sent and their outcomes wait.
app::Readiness App::ready() const {
  using app::Readiness;
  std::lock_guard lock(parts_mutex_);
  if (!started_) return Readiness::NotReady("starting or draining");
  if (!joined_) return Readiness::NotReady("waiting for the broker: topics not checked yet");
  if (const absl::Status status = replies_consumer_->broker_status(); !status.ok()) {
    return Readiness::Degraded(std::string(status.message()));
  }
  if (unowned_ > 0) return Readiness::NotReady("reading the send ledger of newly assigned partitions");
  if (ledger_stalled_s_ > kLedgerStalledMax_s) return Readiness::NotReady("ledger records are not read back");
  if (!session_->connected()) {
    return Readiness::Degraded(base::StrCat("outcomes wait, session is away: ", options_.session_target));
  }
  if (const std::size_t parked = parked_accounts_; parked > 0) {
    return Readiness::Degraded(base::StrCat("replies wait, accounts that cannot send: ", parked));
  }
  return Readiness::Ready();
}

}  // namespace sender
