#include "libs/http/internal/io_thread.h"

#include <chrono>
#include <exception>
#include <utility>

#include <boost/asio/post.hpp>

#include "libs/base/check.h"

namespace http::internal {
namespace {

constexpr auto kBeatInterval = std::chrono::seconds(1);
constexpr auto kBeatAgeMax = std::chrono::seconds(10);

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void Mailbox::Post(std::function<void()> task) {
  std::lock_guard lock(mutex_);
  if (context_ == nullptr) return;
  tasks_.push_back(std::move(task));
  if (wake_up_posted_) return;
  wake_up_posted_ = true;
  boost::asio::post(*context_, [self = shared_from_this()] { self->RunAll(); });
}

void Mailbox::Close() {
  std::vector<std::function<void()>> dropped;  // destroyed after the lock is released: what a task owns may post again
  {
    std::lock_guard lock(mutex_);
    context_ = nullptr;
    dropped.swap(tasks_);
  }
}

void Mailbox::RunAll() {
  std::vector<std::function<void()>> batch;
  {
    std::lock_guard lock(mutex_);
    wake_up_posted_ = false;
    batch.swap(tasks_);
  }
  for (auto& task : batch) {
    task();
    task = nullptr;
  }
}

IoThread::IoThread() : context_(1), heartbeat_(context_), mailbox_(std::make_shared<Mailbox>(&context_)) {}

IoThread::~IoThread() { Stop(); }

void IoThread::Start() {
  CHECK(!thread_.joinable());
  Beat();
  thread_ = std::thread([this] {
    try {
      context_.run();
    } catch (const std::exception& error) {
      CHECK_MSG(false,
                error.what());  // callers' code is fenced where it is called; what is left is a bug of this library
    }
  });
}

void IoThread::Stop() {
  mailbox_->Close();
  if (!thread_.joinable()) return;
  context_.stop();
  thread_.join();
  last_beat_ns_ = 0;
}

bool IoThread::alive() const {
  const std::int64_t last = last_beat_ns_;
  return last == 0 || NowNs() - last < std::chrono::nanoseconds(kBeatAgeMax).count();
}

void IoThread::Beat() {
  last_beat_ns_ = NowNs();
  heartbeat_.expires_after(kBeatInterval);
  heartbeat_.async_wait([this](const boost::system::error_code& error) {
    if (!error) Beat();
  });
}

}  // namespace http::internal
