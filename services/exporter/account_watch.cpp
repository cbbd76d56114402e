#include "services/exporter/account_watch.h"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>

#include "libs/account/reload_failures.h"

namespace exporter {
namespace {

constexpr base::Duration kGapMax = std::chrono::seconds(2);

// `duration`, give or take `share` of it. Nothing secret: it only has to differ between installations.
base::Duration Jittered(base::Duration duration, double share) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const double factor = std::uniform_real_distribution<double>(1 - share, 1 + share)(random);
  return std::chrono::duration_cast<base::Duration>(duration * factor);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AccountWatch>> AccountWatch::Create(const std::string& accounts_file,
                                                                   base::Duration period,
                                                                   telemetry::Registry& registry) {
  absl::StatusOr<std::unique_ptr<account::AccountFile>> accounts = account::AccountFile::Open(accounts_file);
  if (!accounts.ok()) return accounts.status();
  std::unique_ptr<AccountWatch> watch(new AccountWatch(*std::move(accounts), period, registry));
  http::ClientOptions options;
  options.connections_per_host_max = 1;
  options.response_bytes_max = graph::kAnswerBytesMax;
  auto client = http::Client::Create(options, "exporter", registry);
  if (!client.ok()) return client.status();
  watch->client_ = *std::move(client);
  watch->thread_ = std::thread([watch = watch.get()] { watch->Run(); });
  return watch;
}

AccountWatch::AccountWatch(std::shared_ptr<account::AccountFile> accounts, base::Duration period,
                           telemetry::Registry& registry)
    : accounts_(std::move(accounts)), period_(period), metrics_(registry, period) {
  account::ExportReloadFailures(accounts_, "exporter", registry);
}

AccountWatch::~AccountWatch() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  client_.reset();
}

void AccountWatch::Run() {
  AccountPoller poller({.send = [this](http::ClientRequest request) { return SendUnlessStopping(std::move(request)); },
                        .pause = [this] { return SleepFor(Jittered(gap_, 0.5)); },
                        .clock = &base::Clock::Real(),
                        .metrics = &metrics_});
  do {
    const std::shared_ptr<const account::AccountBook> book = accounts_->current();
    const auto accounts = static_cast<std::int64_t>(std::max<std::size_t>(1, book->accounts().size()));
    gap_ = std::min(kGapMax, base::Duration(period_ / (2 * accounts)));
    poller.Round(*book);
  } while (SleepFor(Jittered(period_, 0.1)));
}

bool AccountWatch::SleepFor(base::Duration duration) {
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, duration, [this] { return stopping_; });
}

http::ClientResult AccountWatch::SendUnlessStopping(http::ClientRequest request) {
  // Shared with the callback, which may come after this function has given up.
  auto result = std::make_shared<std::optional<http::ClientResult>>();
  client_->Send(std::move(request), [this, result](http::ClientResult done) {
    std::lock_guard lock(mutex_);
    *result = std::move(done);
    wake_.notify_all();
  });
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] { return stopping_ || *result; });
  if (*result) return *std::move(*result);
  http::ClientResult stopped;
  stopped.failure.status = absl::UnavailableError("the exporter is stopping");
  return stopped;
}

}  // namespace exporter
