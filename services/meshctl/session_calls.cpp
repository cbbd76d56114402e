#include "services/meshctl/session_calls.h"

#include <chrono>
#include <thread>
#include <utility>

#include "libs/base/may_retry.h"

namespace meshctl {
namespace {

constexpr auto kRepeatDelay = std::chrono::milliseconds(200);

base::MonotonicTime Now() { return base::Clock::Real().Now(); }

}  // namespace

absl::Status UntilAnswered(const std::function<absl::Status()>& call, base::Duration patience) {
  const base::MonotonicTime deadline = Now() + patience;
  while (true) {
    absl::Status status = call();
    if (!base::MayRetry(status) || Now() >= deadline) return status;
    std::this_thread::sleep_for(kRepeatDelay);
  }
}

SessionCalls::SessionCalls(session::Client* client, std::size_t calls_max, base::Duration patience)
    : client_(client), calls_max_(calls_max), patience_(patience), last_success_(Now()) {}

SessionCalls::~SessionCalls() {
  std::unique_lock lock(mutex_);
  answered_.wait(lock, [this] { return under_way_ == 0; });
}

absl::Status SessionCalls::Append(const std::string& key, mesh::session::v1::AppendTurnRequest request) {
  ++appended_;
  return Send({key, [this, request = std::move(request)](Call call) {
                 client_->AppendTurn(request, {},
                                     [this, call](const auto& response) { OnAnswer(call, response.status()); });
               }});
}

absl::Status SessionCalls::SetOutcome(const std::string& key, mesh::session::v1::SetOutcomeRequest request) {
  ++outcomes_;
  return Send({key, [this, request = std::move(request)](Call call) {
                 client_->SetOutcome(request, {},
                                     [this, call](const auto& response) { OnAnswer(call, response.status()); });
               }});
}

absl::Status SessionCalls::SetControl(const std::string& key, mesh::session::v1::SetControlRequest request) {
  ++controls_;
  return Send({key, [this, request = std::move(request)](Call call) {
                 client_->SetControl(request, {},
                                     [this, call](const auto& response) { OnAnswer(call, response.status()); });
               }});
}

absl::Status SessionCalls::Unsend(const std::string& key, mesh::session::v1::UnsendRequest request) {
  ++unsent_;
  return Send({key, [this, request = std::move(request)](Call call) {
                 client_->Unsend(request, {},
                                 [this, call](const auto& response) { OnAnswer(call, response.status()); });
               }});
}

absl::Status SessionCalls::Send(Call call) {
  std::unique_lock lock(mutex_);
  while (busy_.contains(call.key) || under_way_ + failed_.size() >= calls_max_) {
    if (absl::Status status = Repeat(lock); !status.ok()) return status;
  }
  busy_.insert(call.key);
  ++under_way_;
  lock.unlock();
  call.send(call);
  return absl::OkStatus();
}

absl::Status SessionCalls::Drain() {
  std::unique_lock lock(mutex_);
  while (under_way_ + failed_.size() > 0) {
    if (absl::Status status = Repeat(lock); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status SessionCalls::Repeat(std::unique_lock<std::mutex>& lock) {
  answered_.wait_for(lock, kRepeatDelay);
  if (failed_.empty()) return absl::OkStatus();
  if (Now() - last_success_ > patience_) return last_error_;
  std::deque<Call> again;
  again.swap(failed_);
  under_way_ += again.size();
  lock.unlock();
  std::this_thread::sleep_for(kRepeatDelay);
  for (const Call& call : again) call.send(call);
  lock.lock();
  return absl::OkStatus();
}

void SessionCalls::OnAnswer(Call call, const absl::Status& status) {
  std::lock_guard lock(mutex_);
  --under_way_;
  if (base::MayRetry(status)) {
    last_error_ = status;
    failed_.push_back(std::move(call));
  } else {
    last_success_ = Now();
    if (!status.ok()) ++refused_;
    busy_.erase(call.key);
  }
  answered_.notify_all();
}

std::int64_t SessionCalls::refused() const {
  std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace meshctl
