#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "libs/http/client.h"
#include "libs/http/internal/client_connection.h"
#include "libs/http/internal/exchange.h"

namespace http::internal {

// The connections to one host and the requests that wait for one.
// Threading: confined to its io thread. Lifetime: outlives its connections.
class HostPool final : private ClientConnection::Owner {
 public:
  HostPool(boost::asio::io_context& context, boost::asio::ssl::context& tls, const ClientOptions& options, Url host,
           std::shared_ptr<ClientMetrics> metrics);
  ~HostPool();
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;

  void Submit(std::shared_ptr<Exchange> exchange);
  // Nothing is open, waiting or about to call back: may be destroyed while the io thread runs.
  bool empty() const { return connections_.empty() && waiting_.empty() && !timer_armed_for_; }

 private:
  using Owner = ClientConnection::Owner;

  // ClientConnection::Owner
  void OnIdle(ClientConnection* connection) override;
  void OnClosed(ClientConnection* connection) override;
  void OnStale(std::shared_ptr<Exchange> exchange) override;

  void OpenFor(std::shared_ptr<Exchange> exchange);
  std::shared_ptr<Exchange> TakeWaiting();  // the oldest whose deadline has not passed; nullptr when none
  void ArmTimer(base::MonotonicTime deadline);
  void FailOverdue();

  boost::asio::io_context& context_;
  boost::asio::ssl::context& tls_;
  const ClientOptions& options_;
  const Url host_;
  const std::shared_ptr<ClientMetrics> metrics_;
  std::unordered_map<ClientConnection*, std::shared_ptr<ClientConnection>> connections_;
  std::vector<ClientConnection*> idle_;  // the most recently used last: it is the least likely to be stale
  std::deque<std::shared_ptr<Exchange>> waiting_;
  boost::asio::steady_timer timer_;  // the earliest deadline of those waiting
  std::optional<base::MonotonicTime> timer_armed_for_;
};

}  // namespace http::internal
