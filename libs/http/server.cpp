#include "libs/http/server.h"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "libs/base/check.h"
#include "libs/base/str_cat.h"
#include "libs/http/internal/io_thread.h"
#include "libs/http/internal/server_connection.h"
#include "libs/http/internal/server_state.h"
#include "libs/telemetry/log.h"

namespace http {
namespace {

using boost::asio::ip::tcp;

constexpr auto kDescriptorPause = std::chrono::milliseconds(100);
constexpr int kListenBacklog = 1024;

// One io thread with its acceptor and the connections it accepted.
// Threading: Listen, Start and Stop on the owner's thread; the rest on the io thread.
class Listener {
 public:
  explicit Listener(std::shared_ptr<internal::ServerState> state)
      : state_(std::move(state)), acceptor_(io_.context()), pause_(io_.context()) {}

  ~Listener() { Stop(); }

  boost::system::error_code Listen(const tcp::endpoint& endpoint, bool share_port) {
    boost::system::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error && share_port) {
      using ReusePort = boost::asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
      acceptor_.set_option(ReusePort(true), error);
    }
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(kListenBacklog, error);
    return error;
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

  void Start() {
    Accept();
    io_.Start();
  }

  void BeginDrain() {
    draining_ = true;
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    // A connection that closes leaves the map, so the walk needs a list of its own.
    std::vector<std::shared_ptr<internal::ServerConnection>> all;
    for (const auto& [key, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) connection->BeginDrain();
  }

  void Stop() {
    io_.Stop();
    while (!connections_.empty()) std::shared_ptr(connections_.begin()->second)->Close();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }

  internal::IoThread& io() { return io_; }

 private:
  void Accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      if (draining_) return;
      if (!error) {
        Admit(std::move(socket));
        return Accept();
      }
      namespace errors = boost::system::errc;
      if (error == errors::too_many_files_open || error == errors::too_many_files_open_in_system ||
          error == errors::no_buffer_space || error == errors::not_enough_memory) {
        // The waiting connection stays in the backlog; trying again at once would spin.
        state_->CountRefusal(internal::Refusal::kDescriptors);
        pause_.expires_after(kDescriptorPause);
        pause_.async_wait([this](const boost::system::error_code& wait_error) {
          if (!wait_error && !draining_) Accept();
        });
        return;
      }
      if (acceptor_.is_open()) Accept();  // the peer gave up before it was accepted
    });
  }

  void Admit(tcp::socket socket) {
    boost::system::error_code error;
    const tcp::endpoint remote = socket.remote_endpoint(error);
    if (error) return;
    socket.set_option(tcp::no_delay(true), error);
    std::string peer = remote.address().to_string();
    if (const internal::Refusal refusal = state_->OpenConnection(peer); refusal != internal::Refusal::kNone) {
      state_->CountRefusal(refusal);
      return;
    }
    auto connection = std::make_shared<internal::ServerConnection>(
        std::move(socket), std::move(peer), state_, io_,
        [this](internal::ServerConnection* closed) { connections_.erase(closed); });
    connections_.emplace(connection.get(), connection);
    connection->Start();
  }

  const std::shared_ptr<internal::ServerState> state_;
  internal::IoThread io_;  // before everything that lives in its context
  tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  std::unordered_map<internal::ServerConnection*, std::shared_ptr<internal::ServerConnection>> connections_;
  bool draining_ = false;
};

class BeastServer final : public Server {
 public:
  BeastServer(const ServerOptions& options, boost::asio::ip::address address, std::string_view service,
              telemetry::Registry& metrics)
      : state_(std::make_shared<internal::ServerState>(options, service, metrics)),
        address_(std::move(address)),
        service_(service),
        metrics_(metrics) {}

  ~BeastServer() override { Drain(std::chrono::steady_clock::now()); }

  void Add(Route route) override {
    CHECK_MSG(listeners_.empty(), "routes are added before Start");
    CHECK(route.handler != nullptr);
    if (route.body_bytes_max == 0) route.body_bytes_max = state_->options.body_bytes_max;
    state_->routes.emplace_back(std::move(route), service_, metrics_);
  }

  absl::Status Start() override {
    CHECK_MSG(listeners_.empty(), "a server starts once");
    tcp::endpoint endpoint(address_, state_->options.port);
    const bool share_port = state_->options.threads > 1;
    if (share_port) {
      // A shared port can be bound beside another process that shares it too. Only a try without sharing tells.
      Listener alone(state_);
      if (const auto error = alone.Listen(endpoint, /*share_port=*/false); error) return BindError(endpoint, error);
      endpoint.port(alone.port());
    }
    std::vector<std::unique_ptr<Listener>> listeners;
    for (std::int32_t i = 0; i < state_->options.threads; ++i) {
      listeners.push_back(std::make_unique<Listener>(state_));
      if (const auto error = listeners.back()->Listen(endpoint, share_port); error) return BindError(endpoint, error);
      endpoint.port(listeners.back()->port());
    }
    port_ = endpoint.port();
    listeners_ = std::move(listeners);
    for (const auto& listener : listeners_) listener->Start();
    telemetry::LogInfo("http_listening", {{"address", address_.to_string()}, {"port", port_}});
    return absl::OkStatus();
  }

  std::uint16_t port() const override { return port_; }

  void Drain(base::MonotonicTime deadline) override {
    if (std::exchange(drained_, true)) return;
    for (const auto& listener : listeners_) {
      listener->io().mailbox().Post([raw = listener.get()] { raw->BeginDrain(); });
    }
    if (!listeners_.empty()) state_->WaitUntilNoConnections(deadline);
    for (const auto& listener : listeners_) listener->Stop();
  }

  bool alive() const override {
    return std::all_of(listeners_.begin(), listeners_.end(),
                       [](const auto& listener) { return listener->io().alive(); });
  }

 private:
  static absl::Status BindError(const tcp::endpoint& endpoint, const boost::system::error_code& error) {
    const std::string where = base::StrCat(endpoint.address().to_string(), ":", endpoint.port());
    if (error == boost::system::errc::address_in_use) {
      return absl::AlreadyExistsError(base::StrCat(where, " is taken by another process; choose another port"));
    }
    return absl::FailedPreconditionError(base::StrCat("cannot listen on ", where, ": ", error.message()));
  }

  const std::shared_ptr<internal::ServerState> state_;
  const boost::asio::ip::address address_;
  const std::string service_;
  telemetry::Registry& metrics_;
  std::vector<std::unique_ptr<Listener>> listeners_;  // constant after Start
  std::uint16_t port_ = 0;
  bool drained_ = false;
};

absl::Status CheckOptions(const ServerOptions& options) {
  const auto check = [](std::string_view name, std::int64_t value, std::int64_t min, std::int64_t max) {
    if (value >= min && value <= max) return absl::OkStatus();
    return absl::InvalidArgumentError(
        base::StrCat("http server: ", name, " is ", value, ", allowed ", min, " to ", max));
  };
  constexpr std::int64_t kTimeoutMsMax = 24 * 3600 * 1000;
  for (const absl::Status& status :
       {check("threads", options.threads, 1, 256), check("header_bytes_max", options.header_bytes_max, 256, 1 << 20),
        check("header_fields_max", options.header_fields_max, 1, 10000),
        check("target_bytes_max", options.target_bytes_max, 1, options.header_bytes_max),
        check("body_bytes_max", options.body_bytes_max, 0, std::int64_t{1} << 32),
        check("header_read_timeout ms", base::ToMs(options.header_read_timeout), 1, kTimeoutMsMax),
        check("body_idle_timeout ms", base::ToMs(options.body_idle_timeout), 1, kTimeoutMsMax),
        check("keep_alive_idle_timeout ms", base::ToMs(options.keep_alive_idle_timeout), 1, kTimeoutMsMax),
        check("write_stall_timeout ms", base::ToMs(options.write_stall_timeout), 1, kTimeoutMsMax),
        check("handler_timeout ms", base::ToMs(options.handler_timeout), 1, kTimeoutMsMax),
        check("connections_max", options.connections_max, 1, 1 << 24),
        check("connections_per_peer_max", options.connections_per_peer_max, 1, 1 << 24),
        check("pipeline_max", options.pipeline_max, 1, 10000),
        check("pipeline_body_bytes_max", options.pipeline_body_bytes_max, 1, std::int64_t{1} << 40),
        check("body_bytes_in_flight_max", options.body_bytes_in_flight_max, 1, std::int64_t{1} << 40),
        check("body_bytes_per_second_min", options.body_bytes_per_second_min, 1, 1 << 30)}) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Create(const ServerOptions& options, std::string_view service,
                                                       telemetry::Registry& metrics) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  boost::system::error_code error;
  auto address = boost::asio::ip::make_address(options.address, error);
  if (error) {
    return absl::InvalidArgumentError(base::StrCat("http server: '", options.address, "' is no IP address"));
  }
  return std::make_unique<BeastServer>(options, std::move(address), service, metrics);
}

}  // namespace http
