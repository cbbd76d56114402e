#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "libs/base/str_cat.h"
#include "libs/http/server.h"
#include "libs/telemetry/metrics.h"
#include "tests/integration/harness/wait.h"

namespace http::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Requests whose answers the test gives by hand, in the order it likes.
class HeldRequests {
 public:
  Handler AsHandler() {
    return [this](Request request, Responder responder) {
      std::lock_guard lock(mutex_);
      held_.emplace_back(std::move(request), std::move(responder));
      arrived_.notify_all();
    };
  }

  // Takes the oldest; fails the test when none comes within 10 s.
  std::pair<Request, Responder> Take() {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_for(lock, seconds(10), [&] { return !held_.empty(); })) {
      ADD_FAILURE() << "no request arrived";
      return {Request{}, [](Response) {}};
    }
    auto front = std::move(held_.front());
    held_.pop_front();
    return front;
  }

  std::size_t count() {
    std::lock_guard lock(mutex_);
    return held_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::pair<Request, Responder>> held_;
};

// A server on a free port with four routes: GET /hello, POST /echo, POST /small (at most 10 bytes), and /held, whose
// answers the test gives.
class ServerTest : public ::testing::Test {
 protected:
  void StartServer(ServerOptions options = {}) {
    auto created = Server::Create(options, "test", metrics_);
    ASSERT_TRUE(created.ok()) << created.status();
    server_ = *std::move(created);
    server_->Add({"GET", "/hello", "hello", 0,
                  [](Request, Responder respond) { respond({.status = 200, .headers = {}, .body = "hello"}); }});
    server_->Add({"POST", "/echo", "echo", 0, [](Request request, Responder respond) {
                    respond({.status = 200, .headers = {}, .body = std::move(request.body)});
                  }});
    server_->Add({"POST", "/small", "small", 10, [](Request, Responder respond) { respond({}); }});
    server_->Add({"GET", "/held", "held", 0, held_.AsHandler()});
    server_->Add({"POST", "/held", "held", 0, held_.AsHandler()});
    const absl::Status started = server_->Start();
    ASSERT_TRUE(started.ok()) << started;
  }

  double Metric(const std::string& series) const {
    const std::string text = "\n" + metrics_.ToPrometheusText();
    const std::size_t at = text.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + series.size() + 2));
  }
  double Refused(const std::string& reason) const {
    return Metric("test_http_refused_total{reason=\"" + reason + "\"}");
  }

  static bool WaitFor(const std::function<bool()>& condition, milliseconds patience = seconds(10)) {
    return harness::WaitUntil(condition, patience);
  }

  telemetry::Registry metrics_;
  HeldRequests held_;  // before the server: its handlers use it
  std::unique_ptr<Server> server_;
};

inline std::string Get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n"; }
inline std::string Post(const std::string& path, const std::string& body) {
  return base::StrCat("POST ", path, " HTTP/1.1\r\nHost: test\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
}

}  // namespace http::test
