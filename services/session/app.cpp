#include "services/session/app.h"

#include <mutex>
#include <string_view>
#include <utility>

#include "libs/app/drain_time.h"
#include "libs/redis/pool.h"
#include "libs/rpc/call_executor.h"
#include "libs/rpc/server.h"
#include "libs/session/grpc_service.h"
#include "libs/session/store.h"
#include "services/session/metrics.h"

namespace session_service {
namespace {

constexpr double kCallsShare =
    0.8;  // of a drain's time, for the calls in flight; the rest is for the ends of the parts

}  // namespace

struct App::Rep {
  explicit Rep(telemetry::Registry& registry) : metrics(registry) {}

  // Redis and the server know of each other through these two, because either may come first.
  void OnRedisState(bool up) {
    std::lock_guard lock(state_mutex);
    redis_up = up;
    if (server != nullptr) server->SetServing(up);
  }
  void OnServerStarted(std::unique_ptr<rpc::Server> started) {
    std::lock_guard lock(state_mutex);
    server = std::move(started);
    server->SetServing(redis_up);
  }

  // ~App drains the server first: after that nothing calls the service, the store or the pool any more.
  const Metrics metrics;
  std::mutex state_mutex;
  bool redis_up = false;  // protected by state_mutex
  std::unique_ptr<redis::Pool> pool;
  std::unique_ptr<session::Store> store;
  std::unique_ptr<rpc::CallExecutor> executor;
  std::unique_ptr<session::GrpcService> service;
  std::unique_ptr<rpc::Server> server;  // set once, under state_mutex
};

App::App(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}

App::~App() {
  Drain(base::Clock::Real().Now());
  rep_->executor.reset();
  rep_->pool.reset();
}

absl::StatusOr<std::unique_ptr<App>> App::Start(const Options& options, telemetry::Registry& registry) {
  auto rep = std::make_unique<Rep>(registry);
  Rep* const raw = rep.get();
  absl::StatusOr<std::unique_ptr<redis::Pool>> pool =
      redis::Pool::Create(options.redis, "session", registry, [raw](bool up) { raw->OnRedisState(up); });
  if (!pool.ok()) return pool.status();
  rep->pool = *std::move(pool);
  rep->store = std::make_unique<session::Store>(rep->pool.get(), options.store);
  rep->executor = std::make_unique<rpc::CallExecutor>(options.grpc.handler_threads, options.grpc.calls_waiting_max);
  rep->service = std::make_unique<session::GrpcService>(
      rep->store.get(), rep->executor.get(), options.grpc,
      [raw](std::string_view method, absl::StatusCode code, base::Duration took) {
        raw->metrics.CountCall(method, code, took);
        raw->metrics.SetCallsWaiting(raw->executor->waiting());
      });
  absl::StatusOr<std::unique_ptr<rpc::Server>> server = rpc::Server::Start(options.grpc, {rep->service->service()});
  if (!server.ok()) return server.status();
  rep->OnServerStarted(*std::move(server));
  return std::unique_ptr<App>(new App(std::move(rep)));
}

std::uint16_t App::port() const { return rep_->server->port(); }
bool App::alive() const { return rep_->executor->alive(); }

app::Readiness App::Ready() const {
  if (const absl::Status status = rep_->pool->status(); !status.ok()) return status;
  if (rep_->pool->refused_share() > 0) {
    return app::Readiness::Degraded("Redis cannot keep up: a part of the calls is held back (--redis-throttle-k)");
  }
  return app::Readiness::Ready();
}

void App::Drain(base::MonotonicTime deadline) {
  rep_->server->Drain(app::DrainTime(base::Clock::Real().Now(), deadline).Until(kCallsShare));
}

}  // namespace session_service
