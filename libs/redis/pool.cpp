#include "libs/redis/pool.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "libs/base/adaptive_throttle.h"
#include "libs/base/backoff.h"
#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/telemetry/log.h"

namespace redis {
namespace {

constexpr base::Duration kProbeInterval = std::chrono::seconds(1);
constexpr base::Duration kProbeBackoffInitial = std::chrono::milliseconds(50);
constexpr base::Duration kProbeBackoffMax = std::chrono::seconds(2);
// A connection idle for longer is checked for a close by the server before it is used.
constexpr base::Duration kIdleCheckAfter = std::chrono::seconds(1);

constexpr std::string_view kTransportKind = "transport";
constexpr std::string_view kDeadlineKind = "deadline";
constexpr std::string_view kThrottledKind = "throttled";

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

}  // namespace

struct Pool::Rep {
  struct Idle {
    std::unique_ptr<Connection> connection;
    base::MonotonicTime since;
  };

  Rep(const RedisOptions& redis_options, std::string_view service_name, telemetry::Registry& metrics,
      std::function<void(bool)> state_callback)
      : options(redis_options),
        client_name(base::StrCat("musemesh-", service_name)),
        on_state(std::move(state_callback)),
        up_gauge(metrics.AddGauge(base::StrCat(service_name, "_redis_up"), "1 while Redis serves, else 0")),
        in_use_gauge(metrics.AddGauge(base::StrCat(service_name, "_redis_connections_in_use"),
                                      "Connections held by callers now")),
        throttle({.k = redis_options.throttle_k},
                 /*seed=*/static_cast<std::uint64_t>(Now().time_since_epoch().count())) {
    const std::string errors_name = base::StrCat(service_name, "_redis_errors_total");
    const auto add = [&](std::string_view kind) {
      errors.emplace(kind, metrics.AddCounter(errors_name, "Failed commands by cause", {{"kind", std::string(kind)}}));
    };
    for (const std::string_view kind : ErrorKinds()) add(kind);
    add(kTransportKind);
    add(kDeadlineKind);
    add(kThrottledKind);
  }

  void CountError(std::string_view kind) const { errors.find(kind)->second.Increment(); }

  // A transport failure of a connection of `epoch`: one that was made before the last outage says nothing new.
  void ReportTransport(const absl::Status& status, std::uint64_t of_epoch);
  void ReportReply(const Reply& reply, std::uint64_t of_epoch);
  void MarkDown(const absl::Status& status, std::uint64_t of_epoch);
  bool MarkUp(std::uint64_t of_epoch);  // true when it was down
  absl::Status Probe(bool was_up);
  void Monitor(bool told_up);
  absl::Status StatusLocked() const;

  // Constant after construction.
  const RedisOptions options;
  const std::string client_name;
  const std::function<void(bool)> on_state;
  const telemetry::Gauge up_gauge;
  const telemetry::Gauge in_use_gauge;
  std::map<std::string, telemetry::Counter, std::less<>> errors;

  std::unique_ptr<Connection> probe_connection;  // of the monitor thread alone, once it runs

  mutable std::mutex mutex;
  std::condition_variable freed;  // a connection was given back, or the state changed
  std::condition_variable monitor_wake;
  base::AdaptiveThrottle throttle;  // protected by mutex
  std::vector<Idle> idle;           // protected by mutex; used from the back, so that the rest may stay cold
  std::int32_t in_use = 0;          // protected by mutex
  bool up = false;                  // protected by mutex
  bool stopping = false;            // protected by mutex
  std::uint64_t epoch = 0;          // protected by mutex; counts outages
  absl::Status down_cause = absl::UnavailableError("not connected yet");  // protected by mutex
  base::MonotonicTime down_since = Now();                                 // protected by mutex

  std::thread monitor;
};

absl::Status Pool::Rep::StatusLocked() const {
  if (up) return absl::OkStatus();
  return absl::UnavailableError(
      base::StrCat("Redis has been down for ", base::ToMs(Now() - down_since) / 1000, " s: ", down_cause.message()));
}

void Pool::Rep::MarkDown(const absl::Status& status, std::uint64_t of_epoch) {
  {
    std::lock_guard lock(mutex);
    if (!up || of_epoch != epoch) return;
    up = false;
    ++epoch;
    down_cause = status;
    down_since = Now();
    idle.clear();
  }
  up_gauge.Set(0);
  freed.notify_all();
  monitor_wake.notify_all();  // which tells on_state, so that its calls stay in order
}

// A probe that began before the last outage (`of_epoch`) says nothing about it.
bool Pool::Rep::MarkUp(std::uint64_t of_epoch) {
  base::Duration outage{};
  {
    std::lock_guard lock(mutex);
    if (up || of_epoch != epoch) return false;
    up = true;
    outage = Now() - down_since;
  }
  up_gauge.Set(1);
  telemetry::LogInfo("redis_up", {{"host", options.host}, {"port", options.port}, {"outage_ms", base::ToMs(outage)}});
  if (on_state) on_state(true);
  return true;
}

void Pool::Rep::ReportTransport(const absl::Status& status, std::uint64_t of_epoch) {
  const bool deadline = absl::IsDeadlineExceeded(status);
  CountError(deadline ? kDeadlineKind : kTransportKind);
  // A caller in a hurry is not a sick Redis.
  if (!deadline) MarkDown(status, of_epoch);
}

void Pool::Rep::ReportReply(const Reply& reply, std::uint64_t of_epoch) {
  if (reply.kind != Reply::Kind::kError) return;
  CountError(ErrorKind(reply.text));
  if (SaysServerIsDown(reply.text)) MarkDown(reply.ErrorStatus(), of_epoch);
}

// Runs on the monitor thread, and before it on the creating one.
absl::Status Pool::Rep::Probe(bool was_up) {
  const base::MonotonicTime deadline = Now() + std::chrono::milliseconds(options.connect_timeout_ms) +
                                       std::chrono::milliseconds(options.command_timeout_ms);
  if (probe_connection == nullptr || !probe_connection->UsableAfterIdle()) {
    absl::StatusOr<std::unique_ptr<Connection>> connected =
        Connection::Connect(options, base::StrCat(client_name, "-monitor"), deadline);
    if (!connected.ok()) return connected.status();
    probe_connection = *std::move(connected);
  }
  const std::string key = base::StrCat(options.key_prefix, ":probe");
  const Command command = was_up ? Command{"PING"} : Command{"SET", key, "1", "EX", "60"};
  return probe_connection->Run(command, deadline).status();
}

// `told_up` is what on_state heard last. Handed in, because `up` may have changed before this thread first runs.
void Pool::Rep::Monitor(bool told_up) {
  int failures = 0;
  for (;;) {
    bool was_up = false;
    std::uint64_t probed_epoch = 0;
    std::string cause;
    {
      std::unique_lock lock(mutex);
      const base::Duration wait =
          failures == 0 ? kProbeInterval
                        : base::BackoffDelay(failures, kProbeBackoffInitial, kProbeBackoffMax, /*seed=*/epoch);
      // While up, a caller's failure cuts the wait short; while down, only the end of the pool does.
      monitor_wake.wait_for(lock, wait, [&] { return stopping || (!up && told_up); });
      if (stopping) return;
      was_up = up;
      probed_epoch = epoch;
      cause = std::string(down_cause.message());
    }
    if (!was_up && told_up) {
      told_up = false;
      failures = 0;
      telemetry::LogWarning("redis_down", {{"host", options.host}, {"port", options.port}, {"error", cause}});
      if (on_state) on_state(false);
    }
    const absl::Status probed = Probe(was_up);
    if (probed.ok()) {
      failures = 0;
      if (MarkUp(probed_epoch)) told_up = true;
      continue;
    }
    ++failures;
    if (was_up) {
      MarkDown(probed, probed_epoch);
    } else {
      std::lock_guard lock(mutex);
      down_cause = probed;
    }
  }
}

Pool::Pool(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

absl::StatusOr<std::unique_ptr<Pool>> Pool::Create(const RedisOptions& options, std::string_view service,
                                                   telemetry::Registry& metrics, std::function<void(bool)> on_state) {
  if (absl::Status valid = ValidateRedisOptions(options); !valid.ok()) return valid;
  auto rep = std::make_unique<Rep>(options, service, metrics, std::move(on_state));
  const absl::Status probed = rep->Probe(/*was_up=*/false);
  if (probed.ok()) {
    rep->MarkUp(/*of_epoch=*/0);
  } else {
    rep->down_cause = probed;
    telemetry::LogWarning("redis_down", {{"host", options.host}, {"port", options.port}, {"error", probed.message()}});
    if (rep->on_state) rep->on_state(false);
  }
  rep->monitor = std::thread([raw = rep.get(), up = probed.ok()] { raw->Monitor(/*told_up=*/up); });
  return std::unique_ptr<Pool>(new Pool(std::move(rep)));
}

Pool::~Pool() {
  {
    std::lock_guard lock(rep_->mutex);
    CHECK_MSG(rep_->in_use == 0, "a Lease outlives its Pool");
    rep_->stopping = true;
  }
  rep_->monitor_wake.notify_all();
  rep_->monitor.join();
}

absl::StatusOr<Pool::Lease> Pool::Acquire(base::MonotonicTime deadline) {
  std::unique_ptr<Connection> connection;
  std::uint64_t epoch = 0;
  base::MonotonicTime idle_since{};
  {
    std::unique_lock lock(rep_->mutex);
    if (!rep_->up) return rep_->StatusLocked();
    if (!rep_->throttle.Admit(Now())) {
      rep_->CountError(kThrottledKind);
      return absl::UnavailableError(
          "held back here, because Redis accepts too few calls (--redis-throttle-k); try again later");
    }
    const bool settled =
        rep_->freed.wait_until(lock, deadline, [&] { return !rep_->up || rep_->in_use < rep_->options.pool_size; });
    if (!rep_->up) return rep_->StatusLocked();
    if (!settled) {
      rep_->throttle.OnEnd(Now(), /*accepted=*/false);
      return absl::ResourceExhaustedError(
          base::StrCat("all ", rep_->options.pool_size, " connections to Redis are taken (--redis-pool-size)"));
    }
    ++rep_->in_use;
    epoch = rep_->epoch;
    if (!rep_->idle.empty()) {
      connection = std::move(rep_->idle.back().connection);
      idle_since = rep_->idle.back().since;
      rep_->idle.pop_back();
    }
  }
  rep_->in_use_gauge.Add(1);
  if (connection != nullptr && Now() - idle_since > kIdleCheckAfter && !connection->UsableAfterIdle()) {
    connection.reset();
  }
  Lease lease(rep_.get(), std::move(connection), epoch);
  if (lease.connection_ == nullptr) {
    absl::StatusOr<std::unique_ptr<Connection>> connected =
        Connection::Connect(rep_->options, rep_->client_name, deadline);
    if (!connected.ok()) {
      if (absl::IsDeadlineExceeded(connected.status())) lease.served_ = false;
      rep_->ReportTransport(connected.status(), epoch);
      return connected.status();
    }
    lease.connection_ = *std::move(connected);
  }
  return lease;
}

absl::StatusOr<Reply> Pool::Run(const Command& command, base::MonotonicTime deadline) {
  absl::StatusOr<Lease> lease = Acquire(deadline);
  if (!lease.ok()) return lease.status();
  return lease->Run(command, deadline);
}

absl::Status Pool::status() const {
  std::lock_guard lock(rep_->mutex);
  return rep_->StatusLocked();
}

double Pool::refused_share() const {
  std::lock_guard lock(rep_->mutex);
  return rep_->throttle.RefusedShare(Now());
}

const RedisOptions& Pool::options() const { return rep_->options; }

Pool::Lease::Lease(Pool::Rep* pool, std::unique_ptr<Connection> connection, std::uint64_t epoch)
    : pool_(pool), connection_(std::move(connection)), epoch_(epoch) {}

Pool::Lease::Lease(Lease&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      connection_(std::move(other.connection_)),
      epoch_(other.epoch_),
      served_(other.served_) {}

Pool::Lease::~Lease() {
  if (pool_ == nullptr) return;
  pool_->in_use_gauge.Add(-1);
  {
    std::lock_guard lock(pool_->mutex);
    --pool_->in_use;
    if (served_) pool_->throttle.OnEnd(Now(), *served_);
    if (connection_ != nullptr && connection_->open() && pool_->up && epoch_ == pool_->epoch) {
      pool_->idle.push_back({std::move(connection_), Now()});
    }
  }
  pool_->freed.notify_one();
}

absl::StatusOr<Reply> Pool::Lease::Run(const Command& command, base::MonotonicTime deadline) {
  absl::StatusOr<std::vector<Reply>> replies = RunPipeline({&command, 1}, deadline);
  if (!replies.ok()) return replies.status();
  Reply reply = std::move(replies->front());
  if (absl::Status status = reply.ErrorStatus(); !status.ok()) return status;
  return reply;
}

absl::StatusOr<std::vector<Reply>> Pool::Lease::RunPipeline(std::span<const Command> commands,
                                                            base::MonotonicTime deadline) {
  absl::StatusOr<std::vector<Reply>> replies = connection_->RunPipeline(commands, deadline);
  if (!replies.ok()) {
    if (absl::IsDeadlineExceeded(replies.status())) served_ = false;
    pool_->ReportTransport(replies.status(), epoch_);
    return replies.status();
  }
  served_ = true;
  for (const Reply& reply : *replies) {
    pool_->ReportReply(reply, epoch_);
    if (reply.kind == Reply::Kind::kError && SaysServerIsDown(reply.text)) served_.reset();
  }
  return replies;
}

}  // namespace redis
