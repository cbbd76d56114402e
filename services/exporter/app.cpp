#include "services/exporter/app.h"

#include <chrono>
#include <string>
#include <utility>

namespace exporter {
namespace {

// Every source at its deadline, and room for a slow machine.
constexpr base::Duration kLookMax = std::chrono::seconds(30);

}  // namespace

App::App(const Options& options, app::Runner& runner) : options_(options), runner_(runner) {}

App::~App() { Drain(); }

absl::Status App::Start() {
  absl::StatusOr<std::vector<GroupAndTopic>> groups = ParseGroups(options_.groups);
  if (!groups.ok()) return groups.status();
  if (absl::Status status = redis::ValidateRedisOptions(options_.redis); !status.ok()) return status;
  metrics_ = std::make_unique<Metrics>(runner_.metrics(), *groups);
  if (!options_.accounts.empty()) {
    auto accounts =
        AccountWatch::Create(options_.accounts, std::chrono::seconds(options_.account_poll_s), runner_.metrics());
    if (!accounts.ok()) return accounts.status();
    accounts_ = *std::move(accounts);
  }
  collector_ = std::make_unique<Collector>(options_, *std::move(groups), metrics_.get());
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void App::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    absl::Status sources = collector_->Look();
    lock.lock();
    sources_ = std::move(sources);
    last_look_ = base::Clock::Real().Now();
    wake_.wait_for(lock, std::chrono::milliseconds(options_.interval_ms), [this] { return stopping_; });
  }
}

void App::Drain() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  accounts_.reset();
}

bool App::alive() const {
  std::lock_guard lock(mutex_);
  return base::Clock::Real().Now() - last_look_ < std::chrono::milliseconds(options_.interval_ms) + kLookMax;
}

// What can be seen is still exported, and the gauges of what cannot say so themselves.
app::Readiness App::ready() const {
  std::lock_guard lock(mutex_);
  if (!sources_) return app::Readiness::NotReady("the first look is not over");
  if (!sources_->ok()) return app::Readiness::Degraded(std::string(sources_->message()));
  return app::Readiness::Ready();
}

}  // namespace exporter
