#include "libs/media/fetcher.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "libs/base/bounded_queue.h"
#include "libs/base/str_cat.h"
#include "libs/http/client.h"
#include "libs/identity/identity.h"
#include "libs/media/internal/fetch_client.h"
#include "libs/media/internal/one_fetch.h"
#include "libs/media/internal/source_policy.h"
#include "libs/telemetry/log.h"

namespace media {
namespace {

using internal::Route;

constexpr base::Duration kExpireInterval = std::chrono::minutes(10);
constexpr base::Duration kLastDeletionsMax = std::chrono::seconds(1);  // at the end, of what waits
constexpr std::size_t kDeletionsMax = 4096;  // turns; one that is forgotten may have hundreds at once
constexpr mesh::bus::v1::Channel kChannels[] = {mesh::bus::v1::CHANNEL_WHATSAPP, mesh::bus::v1::CHANNEL_MESSENGER,
                                                mesh::bus::v1::CHANNEL_INSTAGRAM};

struct FetcherMetrics {
  FetcherMetrics(std::string_view service, telemetry::Registry& metrics)
      : seconds(metrics.AddHistogram(base::StrCat(service, "_media_fetch_seconds"),
                                     "From asking for an attachment to its result, waiting for a place included.",
                                     telemetry::LatencyBuckets())),
        bytes(metrics.AddCounter(base::StrCat(service, "_media_bytes_total"), "Bytes of attachments stored.")),
        waiting(metrics.AddGauge(base::StrCat(service, "_media_fetches_waiting"),
                                 "Attachments that wait for a place in the pool.")) {
    for (const mesh::bus::v1::Channel channel : kChannels) {
      for (const Result result : kResults) {
        fetches.emplace(
            std::pair(channel, result),
            metrics.AddCounter(
                base::StrCat(service, "_media_fetches_total"), "Attachments by how their fetching ended.",
                {{"channel", std::string(identity::ChannelName(channel))}, {"result", std::string(ToString(result))}}));
      }
    }
  }

  std::map<std::pair<mesh::bus::v1::Channel, Result>, telemetry::Counter> fetches;
  telemetry::Histogram seconds;
  telemetry::Counter bytes;
  telemetry::Gauge waiting;
};

// What a thread of the pool waits for: an answer, or that everything stops.
class Waiter {
 public:
  void Stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  bool Wait(base::Duration duration) {
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, duration, [&] { return stopped_; });
  }

  http::ClientResult Send(http::Client& client, http::ClientRequest request) {
    auto slot = std::make_shared<std::optional<http::ClientResult>>();
    client.Send(std::move(request), [this, slot](http::ClientResult result) {
      const std::lock_guard lock(mutex_);
      *slot = std::move(result);
      changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return slot->has_value() || stopped_; });
    if (slot->has_value()) return *std::move(*slot);
    return {.failure = {.status = absl::UnavailableError("the media fetcher is stopping")}};
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;  // protected by mutex_, as are the slots
};

class PooledFetcher final : public Fetcher {
 public:
  PooledFetcher(const FetcherOptions& options, std::unique_ptr<Store> store, std::unique_ptr<http::Client> graph,
                std::unique_ptr<http::Client> open, std::string_view service, telemetry::Registry& metrics)
      : options_(options),
        metrics_(service, metrics),
        store_(std::move(store)),
        graph_client_(std::move(graph)),
        public_client_(std::move(open)),
        tools_{.send =
                   [this](Route route, http::ClientRequest request) {
                     return waiter_.Send(route == Route::kGraph ? *graph_client_ : *public_client_, std::move(request));
                   },
               .wait = [this](base::Duration duration) { return waiter_.Wait(duration); },
               .store = store_.get(),
               .options = &options_},
        queue_(static_cast<std::size_t>(options.queue_max)) {
    for (std::int32_t i = 0; i < options.fetches_max; ++i) threads_.emplace_back([this] { Work(); });
    threads_.emplace_back([this] { KeepStore(); });
  }

  ~PooledFetcher() override {
    queue_.Close();
    closed_at_ = base::Clock::Real().Now();
    deletions_.Close();
    waiter_.Stop();
    for (std::thread& thread : threads_) thread.join();
  }

  void Fetch(FetchRequest request, std::function<void(Fetched)> on_done) override {
    Job job{.request = std::move(request), .on_done = std::move(on_done), .asked_at = base::Clock::Real().Now()};
    if (queue_.TryPush(std::move(job))) return metrics_.waiting.Add(1);
    End(job, {.result = Result::kBusy, .detail = "too many attachments wait; raise --media-fetches-max"});
  }

  bool has_room() const override { return queue_.size() < queue_.items_max(); }

  // First what runs: so a fetch either learns of it behind its file, or has put it there before the deletion comes.
  bool Delete(std::string tenant, std::string turn_id) override {
    {
      const std::lock_guard lock(running_mutex_);
      for (Running& running : running_) {
        running.is_deleted |= running.key.tenant == tenant && running.key.turn_id == turn_id;
      }
    }
    return deletions_.TryPush(
        {.first = {.tenant = std::move(tenant), .turn_id = std::move(turn_id)}, .files_count = kFilesPerTurnMax});
  }

  bool DeleteFile(StoreKey key) override { return deletions_.TryPush({.first = std::move(key), .files_count = 1}); }

 private:
  struct Deletion {
    StoreKey first;
    std::size_t files_count;
  };
  struct Running {
    StoreKey key;
    bool is_second;           // another fetch of the same file runs: constant
    bool is_deleted = false;  // protected by running_mutex_
  };
  struct Job {
    FetchRequest request;
    std::function<void(Fetched)> on_done;
    base::MonotonicTime asked_at;
  };

  void Work() {
    while (true) {
      std::optional<Job> job = queue_.Pop(base::MonotonicTime::max());
      if (!job) return;
      metrics_.waiting.Add(-1);
      // Before its interest is looked at: who deletes a turn that is over finds it here, or it is not begun.
      const std::list<Running>::iterator running = Enter(KeyOf(job->request));
      if (InterestIn(*job) != Interest::kWanted) {
        Leave(running);
        job->on_done({.result = Result::kLate});  // nobody listens, so nothing is counted or said
      } else if (job->request.deadline <= base::Clock::Real().Now()) {
        Leave(running);
        End(*job, {.result = Result::kLate, .detail = "waited for a place; raise --media-fetches-max"});
      } else {
        Fetched fetched = internal::OneFetch(tools_, job->request).Run();
        fetched.was_kept |= running->is_second;
        const bool is_deleted = Leave(running) || InterestIn(*job) == Interest::kTakenBack;
        if (is_deleted) DeleteNow(KeyOf(job->request));
        End(*job, std::move(fetched));
      }
    }
  }

  std::list<Running>::iterator Enter(StoreKey key) {
    const std::lock_guard lock(running_mutex_);
    const bool is_second = std::ranges::find(running_, key, &Running::key) != running_.end();
    return running_.insert(running_.end(), {.key = std::move(key), .is_second = is_second});
  }

  // Whether its turn was deleted in the meantime.
  bool Leave(std::list<Running>::iterator running) {
    const std::lock_guard lock(running_mutex_);
    const bool is_deleted = running->is_deleted;
    running_.erase(running);
    return is_deleted;
  }

  static Interest InterestIn(const Job& job) {
    return job.request.interest == nullptr ? Interest::kWanted : job.request.interest->load();
  }

  void KeepStore() {
    base::MonotonicTime expire_at = base::Clock::Real().Now() + kExpireInterval;
    std::int64_t left_count = 0;
    while (true) {
      const std::optional<Deletion> deletion = deletions_.Pop(expire_at);
      if (!deletion && deletions_.closed()) break;
      if (deletion && !Carry(*deletion)) ++left_count;
      if (base::Clock::Real().Now() < expire_at) continue;
      store_->Expire();
      expire_at = base::Clock::Real().Now() + kExpireInterval;
    }
    if (left_count == 0) return;
    telemetry::LogWarning("media_not_deleted", {{"detail", "there was no time for it before the end; it goes by age"},
                                                {"turns", left_count}});
  }

  // False when there is no time for it any more.
  bool Carry(const Deletion& deletion) {
    StoreKey key = deletion.first;
    for (std::size_t i = 0; i < deletion.files_count; ++i, ++key.index) {
      const bool is_ending = deletions_.closed() && base::Clock::Real().Now() >= closed_at_ + kLastDeletionsMax;
      if (is_ending) return false;
      if (!DeleteNow(key)) return true;  // the log says so; the store takes no others either
    }
    return true;
  }

  bool DeleteNow(const StoreKey& key) {
    const absl::Status status = store_->Delete(key);
    if (!status.ok()) telemetry::LogWarning("media_not_deleted", {{"detail", status.message()}});
    return status.ok();
  }

  void End(const Job& job, Fetched fetched) {
    const account::Account& account = *job.request.account;
    const auto counter = metrics_.fetches.find({account.channel, fetched.result});
    if (counter != metrics_.fetches.end()) counter->second.Increment();
    metrics_.seconds.Observe(base::ToSeconds(base::Clock::Real().Now() - job.asked_at));
    metrics_.bytes.Increment(static_cast<double>(fetched.bytes));
    if (fetched.result != Result::kStored) {
      telemetry::LogWarning("media_not_loaded", {{"channel", identity::ChannelName(account.channel)},
                                                 {"type", job.request.attachment.type()},
                                                 {"result", ToString(fetched.result)},
                                                 {"detail", fetched.detail}});
    }
    job.on_done(std::move(fetched));
  }

  const FetcherOptions options_;
  const FetcherMetrics metrics_;
  const std::unique_ptr<Store> store_;
  Waiter waiter_;  // outlives the clients, whose last answers reach it
  const std::unique_ptr<http::Client> graph_client_;
  const std::unique_ptr<http::Client> public_client_;
  const internal::FetchTools tools_;
  base::BoundedQueue<Job> queue_;
  base::BoundedQueue<Deletion> deletions_{kDeletionsMax};
  base::MonotonicTime closed_at_{};  // written before deletions_ is closed, read behind that
  std::mutex running_mutex_;
  std::list<Running> running_;  // protected by running_mutex_: of the fetches that have a thread
  std::vector<std::thread> threads_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Fetcher>> Fetcher::Create(const FetcherOptions& options, std::unique_ptr<Store> store,
                                                         std::string_view service, telemetry::Registry& metrics) {
  if (absl::Status status = internal::CheckHosts(options.hosts_more); !status.ok()) return status;
  auto graph = internal::MakeFetchClient(Route::kGraph, options, service, metrics);
  if (!graph.ok()) return graph.status();
  auto open = internal::MakeFetchClient(Route::kPublic, options, service, metrics);
  if (!open.ok()) return open.status();
  return std::make_unique<PooledFetcher>(options, std::move(store), *std::move(graph), *std::move(open), service,
                                         metrics);
}

}  // namespace media
