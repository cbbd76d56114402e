#include "libs/http/client.h"

#include <algorithm>
#include <future>
#include <map>
#include <utility>
#include <vector>

#include <boost/asio/ssl/context.hpp>

#include "libs/base/str_cat.h"
#include "libs/http/internal/exchange.h"
#include "libs/http/internal/host_pool.h"
#include "libs/http/internal/io_thread.h"
#include "libs/http/url.h"

namespace http {
namespace {

// Pools without connections are removed when there are this many.
constexpr std::size_t kPoolsKept = 64;

// One io thread and the pools of the hosts that belong to it.
struct ClientThread {
  internal::IoThread io;
  std::map<std::string, std::unique_ptr<internal::HostPool>> pools;  // confined to the io thread until it has stopped
};

class PooledClient final : public Client {
 public:
  PooledClient(const ClientOptions& options, std::unique_ptr<boost::asio::ssl::context> tls, std::string_view service,
               telemetry::Registry& metrics)
      : options_(options), tls_(std::move(tls)), metrics_(std::make_shared<internal::ClientMetrics>(service, metrics)) {
    for (std::int32_t i = 0; i < options.threads; ++i) {
      threads_.push_back(std::make_unique<ClientThread>());
      threads_.back()->io.Start();
    }
  }

  ~PooledClient() override {
    // What is still posted, waiting or running calls back as it is destroyed.
    for (const auto& thread : threads_) thread->io.Stop();
    for (const auto& thread : threads_) thread->pools.clear();
  }

  void Send(ClientRequest request, std::function<void(ClientResult)> on_done) override {
    absl::Status refused = internal::CheckRequest(request);
    absl::StatusOr<Url> url = ParseUrl(request.url);
    if (refused.ok()) refused = url.status();
    if (refused.ok() && metrics_->outstanding >= options_.requests_queued_max) {
      refused =
          absl::UnavailableError("too many requests wait for their answers; raise requests_queued_max or send less");
    }
    Url to = refused.ok() ? *std::move(url) : Url{};
    ClientThread& thread = *threads_[std::hash<std::string>{}(to.PoolKey()) % threads_.size()];
    auto exchange =
        std::make_shared<internal::Exchange>(std::move(request), std::move(to), std::move(on_done), metrics_);
    thread.io.mailbox().Post([this, &thread, exchange = std::move(exchange), refused = std::move(refused)]() mutable {
      if (!refused.ok()) return exchange->Fail(FailureKind::kOther, std::move(refused));
      PoolFor(thread, exchange->url()).Submit(std::move(exchange));
    });
  }

 private:
  internal::HostPool& PoolFor(ClientThread& thread, const Url& url) {
    const std::string key = url.PoolKey();
    const auto found = thread.pools.find(key);
    if (found != thread.pools.end()) return *found->second;
    if (thread.pools.size() >= kPoolsKept) {
      std::erase_if(thread.pools, [](const auto& entry) { return entry.second->empty(); });
    }
    return *thread.pools
                .emplace(key, std::make_unique<internal::HostPool>(thread.io.context(), *tls_, options_, url, metrics_))
                .first->second;
  }

  const ClientOptions options_;
  const std::unique_ptr<boost::asio::ssl::context> tls_;
  const std::shared_ptr<internal::ClientMetrics> metrics_;
  std::vector<std::unique_ptr<ClientThread>> threads_;  // constant after construction
};

absl::Status CheckOptions(const ClientOptions& options) {
  const auto check = [](std::string_view name, std::int64_t value, std::int64_t min, std::int64_t max) {
    if (value >= min && value <= max) return absl::OkStatus();
    return absl::InvalidArgumentError(
        base::StrCat("http client: ", name, " is ", value, ", allowed ", min, " to ", max));
  };
  constexpr std::int64_t kTimeoutMsMax = 24 * 3600 * 1000;
  for (const absl::Status& status :
       {check("threads", options.threads, 1, 256),
        check("connections_per_host_max", options.connections_per_host_max, 1, 100000),
        check("requests_queued_max", options.requests_queued_max, 1, 1 << 24),
        check("response_bytes_max", options.response_bytes_max, 0, std::int64_t{1} << 32),
        check("connect_timeout ms", base::ToMs(options.connect_timeout), 1, kTimeoutMsMax),
        check("stall_timeout ms", base::ToMs(options.stall_timeout), 0, kTimeoutMsMax),
        check("keep_alive_idle_timeout ms", base::ToMs(options.keep_alive_idle_timeout), 1, kTimeoutMsMax)}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<boost::asio::ssl::context>> MakeTls(const ClientOptions& options) {
  namespace ssl = boost::asio::ssl;
  auto tls = std::make_unique<ssl::context>(ssl::context::tls_client);
  boost::system::error_code error;
  tls->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1, error);
  if (!error) tls->set_verify_mode(ssl::verify_peer, error);
  if (error) return absl::FailedPreconditionError(base::StrCat("TLS cannot be set up: ", error.message()));
  if (options.ca_file.empty()) {
    tls->set_default_verify_paths(error);
  } else {
    tls->load_verify_file(options.ca_file, error);
  }
  if (error) {
    return absl::FailedPreconditionError(
        base::StrCat("ca_file '", options.ca_file, "' cannot be used: ", error.message()));
  }
  return tls;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const ClientOptions& options, std::string_view service,
                                                       telemetry::Registry& metrics) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  auto tls = MakeTls(options);
  if (!tls.ok()) return tls.status();
  return std::make_unique<PooledClient>(options, *std::move(tls), service, metrics);
}

ClientResult Client::SendAndWait(ClientRequest request) {
  auto result = std::make_shared<std::promise<ClientResult>>();
  std::future<ClientResult> future = result->get_future();
  Send(std::move(request), [result](ClientResult done) { result->set_value(std::move(done)); });
  return future.get();
}

}  // namespace http
