#include "services/worker/app.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/account/reload_failures.h"
#include "libs/app/drain_time.h"
#include "libs/base/hex.h"
#include "libs/bus/topics.h"
#include "libs/crypto/digest.h"
#include "libs/engine/make_engine.h"
#include "libs/media/s3_store.h"
#include "libs/telemetry/log.h"
#include "services/worker/device_loss.h"
#include "services/worker/load_progress.h"

namespace worker {
namespace {

constexpr std::string_view kService = "worker";

// Enough for a quarter of 1,000 sends a second that are answered in 100 ms.
constexpr std::int32_t kPresenceConnectionsMax = 32;
constexpr std::int64_t kPresenceAnswerBytesMax = 64 << 10;

// How much of a drain's time may be gone by the end of each step; of the default 25 s these are 18, 21 and 22. What
// remains is for the ends of the engine, of its child, and of what waits for the broker itself.
constexpr double kTurnsShare = 0.72;
constexpr double kLeaveShare = 0.84;
constexpr double kFlushShare = 0.88;

// What may be posted to the loop at once: every record of every window (partitions x window) and a few callbacks for
// each running turn. Partitions of one topic are at most 1,024 here; the sum is a guard, not a reservation.
std::size_t LoopBacklogMax(std::int32_t window_records_max) {
  return static_cast<std::size_t>(window_records_max) * 1024 + 65536;
}

}  // namespace

App::App(const Options& options, app::Runner& runner)
    : options_(options), runner_(runner), metrics_(runner.metrics()) {}

absl::Status App::Start() {
  absl::StatusOr<std::unique_ptr<account::AccountFile>> accounts = account::AccountFile::Open(options_.accounts);
  if (!accounts.ok()) return accounts.status();
  accounts_ = *std::move(accounts);
  account::ExportReloadFailures(accounts_, kService, runner_.metrics());
  if (absl::Status status = CheckAccounts(); !status.ok()) return status;
  if (absl::Status status = CheckModelFile(); !status.ok()) return status;

  engine::EngineOptions engine_options = EngineOptionsOf(options_);
  LoadProgress progress;
  engine_options.on_load = [&progress](std::int64_t done, std::int64_t total) { progress.Show(done, total); };
  engine_options.on_device_lost = EndWithoutDevice;
  absl::StatusOr<std::unique_ptr<engine::Engine>> engine = engine::MakeEngine(engine_options);
  progress.End();
  if (!engine.ok()) return engine.status();
  engine_ = *std::move(engine);
  telemetry::LogInfo("engine_ready", {{"model", engine_->model_name()},
                                      {"device", engine_->device_name()},
                                      {"context_tokens_max", engine_->context_tokens_max()},
                                      {"blocks_total", engine_->credit().blocks_total}});

  session_ = session::Client::Create(options_.session_target, options_.session_throttle_k);
  absl::StatusOr<std::unique_ptr<bus::Producer>> producer =
      bus::Producer::Create(options_.bus, bus::ProducerOptions{}, kService, runner_.metrics());
  if (!producer.ok()) return producer.status();
  producer_ = *std::move(producer);
  loop_ = std::make_unique<app::EventLoop>(LoopBacklogMax(options_.window_records_max));
  solo_queue_ = std::make_unique<SoloQueue>(loop_.get());
  child_engine_ = std::make_unique<ChildEngine>(ChildOptions{.arguments = options_.arguments});
  reply_log_ = std::make_unique<KafkaReplyLog>(options_.bus);
  if (absl::Status status = StartMedia(); !status.ok()) return status;
  if (absl::Status status = StartPresence(); !status.ok()) return status;
  const TurnContext context{.loop = loop_.get(),
                            .producer = producer_.get(),
                            .session = session_.get(),
                            .engine = engine_.get(),
                            .journal = &journal_,
                            .solo_queue = solo_queue_.get(),
                            .solo_engine = child_engine_.get(),
                            .reply_log = reply_log_.get(),
                            .media = media_.get(),
                            .presence = presence_.get(),
                            .media_wait = std::chrono::milliseconds(options_.media_wait_ms),
                            .media_ahead_max = static_cast<std::size_t>(options_.media.fetches_max - 1),
                            .accounts = accounts_.get(),
                            .metrics = &metrics_,
                            .clock = &base::Clock::Real(),
                            .session_fails = &session_fails_,
                            .development_only = options_.engine_kind == "echo",
                            .bus = options_.bus};
  intake_ = std::make_unique<TurnIntake>(context, ReadWindowOf(options_));
  RegisterGauges();
  topic_check_ = std::make_unique<bus::TopicCheck>(options_.bus, bus::TopicCheckTimes{},
                                                   [this](std::int32_t partitions) { return JoinGroup(partitions); });
  started_ = true;
  return absl::OkStatus();
}

// The echo engine answers every user with a test text; a real account must never meet it.
absl::Status App::CheckAccounts() const {
  if (options_.engine_kind != "echo") return absl::OkStatus();
  for (const account::Account& account : accounts_->current()->accounts()) {
    if (!account.development) {
      return absl::FailedPreconditionError(absl::StrCat("--engine=echo is for tests only, but account ",
                                                        account.account_id, " of tenant ", account.tenant,
                                                        " is not marked `development: true` in ", options_.accounts));
    }
  }
  return absl::OkStatus();
}

absl::Status App::CheckModelFile() const {
  if (options_.model_sha256.empty() || options_.engine_kind == "echo") return absl::OkStatus();
  const absl::StatusOr<crypto::Sha256Digest> digest = crypto::Sha256File(options_.engine.model_path);
  if (!digest.ok()) return digest.status();
  const std::string found = base::ToHex(crypto::AsBytes(*digest));
  if (found == options_.model_sha256) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(options_.engine.model_path,
                                          " is not the file that --model-sha256 names: its SHA-256 is ", found,
                                          ". Fetch it again (make model), or correct the option"));
}

absl::Status App::StartMedia() {
  if (options_.media_store.folder.empty()) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<media::Store>> store = OpenMediaStore();
  if (!store.ok()) return store.status();
  absl::StatusOr<std::unique_ptr<media::Fetcher>> fetcher =
      media::Fetcher::Create(options_.media, *std::move(store), kService, runner_.metrics());
  if (!fetcher.ok()) return fetcher.status();
  media_ = *std::move(fetcher);
  return absl::OkStatus();
}

absl::Status App::StartPresence() {
  PresenceOptions presence;
  presence.renew_every = std::chrono::milliseconds(options_.presence_renew_ms);
  http::ClientOptions http;
  http.connections_per_host_max = kPresenceConnectionsMax;
  http.requests_queued_max = static_cast<std::int32_t>(presence.calls_max);
  http.response_bytes_max = kPresenceAnswerBytesMax;
  http.connect_timeout = presence.call_timeout;
  absl::StatusOr<std::unique_ptr<http::Client>> client = http::Client::Create(http, kService, runner_.metrics());
  if (!client.ok()) return client.status();
  presence_http_ = *std::move(client);
  Presence::Parts parts;
  parts.http = presence_http_.get();
  parts.clock = &base::Clock::Real();
  parts.metrics = &metrics_;
  parts.run_after = [loop = loop_.get()](base::Duration delay, std::function<void()> task) {
    loop->PostAfter(delay, std::move(task));
  };
  parts.share = [this] { return ShareOfPartitions(); };
  presence_ = std::make_shared<Presence>(presence, std::move(parts));
  return absl::OkStatus();
}

// Nobody tells the workers what the others send; but conversations are spread over partitions, and those over workers.
double App::ShareOfPartitions() const {
  if (partitions_total_ <= 0) return 1;
  return std::clamp(static_cast<double>(intake_->partitions_count()) / partitions_total_, 1.0 / partitions_total_, 1.0);
}

absl::StatusOr<std::unique_ptr<media::Store>> App::OpenMediaStore() {
  const std::string& where = options_.media_store.folder;
  if (!where.starts_with("http://") && !where.starts_with("https://")) {
    return media::FolderStore::Open(MediaStoreOptionsOf(options_));
  }
  return media::S3Store::Open(
      {.url = where, .credentials_file = options_.media_store_credentials_file, .bytes_max = options_.media.bytes_max},
      kService, runner_.metrics());
}

absl::Status App::JoinGroup(std::int32_t partitions) {
  partitions_total_ = partitions;
  bus::ConsumerOptions consume;
  consume.group = options_.group;
  consume.topics = {bus::TopicName(options_.bus, bus::kTurns)};
  consume.static_member_id = options_.static_member_id;
  consume.session_timeout = std::chrono::milliseconds(options_.session_timeout_ms);
  absl::StatusOr<std::unique_ptr<bus::Consumer>> consumer =
      bus::Consumer::Create(options_.bus, consume, intake_.get(), kService, runner_.metrics());
  if (!consumer.ok()) return consumer.status();
  consumer_ = *std::move(consumer);
  intake_->SetConsumer(consumer_.get());
  journal_.SetConsumer(consumer_.get());
  consumer_->Start();
  joined_ = true;
  return absl::OkStatus();
}

void App::RegisterGauges() {
  runner_.metrics().AddRefresh([this] {
    std::lock_guard lock(parts_mutex_);
    if (engine_ != nullptr) metrics_.engine.Refresh(*engine_);
  });
}

// Order: no new turns; running ones finish within the drain time; the rest is handed back unread; commit; leave.
void App::Drain(base::MonotonicTime deadline) {
  const app::DrainTime time(base::Clock::Real().Now(), deadline);
  runner_.WaitsFor("the check of the topics");
  if (topic_check_ == nullptr) return;
  topic_check_->Stop();  // waits only while the group is not joined, and then there is nothing else to wait for
  runner_.WaitsFor("running turns");
  loop_->RunSync([this] { intake_->StopStarting(); });
  std::size_t running = 1;
  while (running > 0 && base::Clock::Real().Now() < time.Until(kTurnsShare)) {
    loop_->RunSync([&] { running = intake_->running_count(); });
    if (running > 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  telemetry::LogInfo("drained", {{"turns_handed_back", running}});
  loop_->RunSync([this] {
    intake_->AbandonAll();
    presence_.reset();
  });
  runner_.WaitsFor("the consumer group");
  if (joined_) consumer_->Stop(time.Until(kLeaveShare));
  runner_.WaitsFor("records on their way");
  const absl::Status flushed = producer_->Flush(time.Until(kFlushShare));
  if (!flushed.ok()) telemetry::LogWarning("flush_incomplete", {{"error", flushed.ToString()}});
  runner_.WaitsFor("the engine and its children");
  std::lock_guard lock(parts_mutex_);
  started_ = false;
  media_.reset();
  presence_http_.reset();
  child_engine_.reset();  // their last callbacks post to the loop, which is still there
  reply_log_.reset();
  engine_.reset();
  producer_.reset();
  session_.reset();
  loop_->Stop();
}

bool App::alive() const {
  std::lock_guard lock(parts_mutex_);
  return !started_ || (loop_->alive() && engine_->alive() && (!joined_ || consumer_->polling()));
}

// What is away once the worker has joined makes turns wait, in the log or here, and is as far from any other worker.
app::Readiness App::ready() const {
  using app::Readiness;
  std::lock_guard lock(parts_mutex_);
  if (!started_) return Readiness::NotReady("the model is loading, or the worker is draining");
  if (!joined_) return Readiness::NotReady("waiting for the broker: topics not checked yet");
  if (const absl::Status status = consumer_->broker_status(); !status.ok()) {
    return Readiness::Degraded(std::string(status.message()));
  }
  if (!session_->connected()) return Readiness::Degraded(absl::StrCat("session is away: ", options_.session_target));
  if (session_fails_) return Readiness::Degraded("turns wait for session: it, or its Redis, is away or overloaded");
  return Readiness::Ready();
}

}  // namespace worker
