#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "libs/http/client.h"

namespace worker {

// An HTTP client that keeps the requests it is given; the test answers them, or never does.
class RecordedCalls final : public http::Client {
 public:
  void Send(http::ClientRequest request, std::function<void(http::ClientResult)> on_done) override {
    std::lock_guard lock(mutex_);
    calls_.push_back({std::move(request), std::move(on_done)});
  }

  std::size_t count() const {
    std::lock_guard lock(mutex_);
    return calls_.size();
  }
  http::ClientRequest request(std::size_t index) const {
    std::lock_guard lock(mutex_);
    return calls_.at(index).request;
  }
  std::string body(std::size_t index) const { return request(index).body; }

  void Answer(std::size_t index, int status, std::string body) {
    http::ClientResult result;
    result.ok = true;
    result.response.status = status;
    result.response.body = std::move(body);
    End(index, std::move(result));
  }
  void Fail(std::size_t index, absl::Status status) {
    http::ClientResult result;
    result.failure.status = std::move(status);
    End(index, std::move(result));
  }
  // As the real client does before its first byte.
  void Leave(std::size_t index) {
    const std::function<bool()> may_send = request(index).may_send;
    if (may_send && !may_send()) return Fail(index, absl::AbortedError("may_send said no"));
    Answer(index, 200, R"({"success":true})");
  }

 private:
  struct Call {
    http::ClientRequest request;
    std::function<void(http::ClientResult)> on_done;
  };
  void End(std::size_t index, http::ClientResult result) {
    std::function<void(http::ClientResult)> on_done;
    {
      std::lock_guard lock(mutex_);
      on_done = std::move(calls_.at(index).on_done);
    }
    on_done(std::move(result));
  }

  mutable std::mutex mutex_;
  std::vector<Call> calls_;  // protected by mutex_
};

}  // namespace worker
