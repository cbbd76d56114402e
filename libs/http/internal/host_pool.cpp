#include "libs/http/internal/host_pool.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

namespace http::internal {
namespace {

absl::Status WaitedTooLong() {
  return absl::DeadlineExceededError(
      "the deadline passed while waiting for a connection; raise connections_per_host_max or send less");
}

}  // namespace

HostPool::HostPool(boost::asio::io_context& context, boost::asio::ssl::context& tls, const ClientOptions& options,
                   Url host, std::shared_ptr<ClientMetrics> metrics)
    : context_(context),
      tls_(tls),
      options_(options),
      host_(std::move(host)),
      metrics_(std::move(metrics)),
      timer_(context) {}

HostPool::~HostPool() {
  for (auto& [key, connection] : connections_) {
    connection->Abandon();
    metrics_->connections.Add(-1);
  }
}

void HostPool::Submit(std::shared_ptr<Exchange> exchange) {
  if (exchange->deadline() <= std::chrono::steady_clock::now()) {
    return exchange->Fail(FailureKind::kDeadline,
                          absl::DeadlineExceededError("the deadline passed before the request was sent"));
  }
  while (!idle_.empty()) {
    ClientConnection* const connection = idle_.back();
    idle_.pop_back();
    if (!connection->IsStale()) return connection->Run(std::move(exchange));
    connection->Close();
  }
  if (connections_.size() < static_cast<std::size_t>(options_.connections_per_host_max))
    return OpenFor(std::move(exchange));
  ArmTimer(exchange->deadline());
  waiting_.push_back(std::move(exchange));
}

void HostPool::OpenFor(std::shared_ptr<Exchange> exchange) {
  auto connection = std::make_shared<ClientConnection>(context_, tls_, options_, host_, static_cast<Owner*>(this));
  ClientConnection* const raw = connection.get();
  connections_.emplace(raw, std::move(connection));
  metrics_->connections.Add(1);
  raw->Open(std::move(exchange));
}

void HostPool::OnIdle(ClientConnection* connection) {
  if (auto next = TakeWaiting()) return connection->Run(std::move(next));
  idle_.push_back(connection);
}

void HostPool::OnClosed(ClientConnection* connection) {
  std::erase(idle_, connection);
  if (connections_.erase(connection) == 0) return;
  metrics_->connections.Add(-1);
  if (auto next = TakeWaiting()) OpenFor(std::move(next));
}

void HostPool::OnStale(std::shared_ptr<Exchange> exchange) { Submit(std::move(exchange)); }

std::shared_ptr<Exchange> HostPool::TakeWaiting() {
  const base::MonotonicTime now = std::chrono::steady_clock::now();
  while (!waiting_.empty()) {
    std::shared_ptr<Exchange> front = std::move(waiting_.front());
    waiting_.pop_front();
    if (front->deadline() > now) return front;
    front->Fail(FailureKind::kDeadline, WaitedTooLong());
  }
  return nullptr;
}

void HostPool::ArmTimer(base::MonotonicTime deadline) {
  if (timer_armed_for_ && *timer_armed_for_ <= deadline) return;
  timer_armed_for_ = deadline;
  timer_.expires_at(deadline);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    timer_armed_for_.reset();
    FailOverdue();
  });
}

void HostPool::FailOverdue() {
  const base::MonotonicTime now = std::chrono::steady_clock::now();
  const auto is_overdue = [now](const std::shared_ptr<Exchange>& exchange) { return exchange->deadline() <= now; };
  const auto first = std::stable_partition(waiting_.begin(), waiting_.end(), std::not_fn(is_overdue));
  const std::vector<std::shared_ptr<Exchange>> overdue(first, waiting_.end());
  waiting_.erase(first, waiting_.end());
  for (const auto& exchange : overdue) exchange->Fail(FailureKind::kDeadline, WaitedTooLong());
  const auto next = std::min_element(waiting_.begin(), waiting_.end(),
                                     [](const auto& a, const auto& b) { return a->deadline() < b->deadline(); });
  if (next != waiting_.end()) ArmTimer((*next)->deadline());
}

}  // namespace http::internal
