#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace http::internal {

// Work handed to an io thread from other threads. A batch costs one wake-up however many tasks it has, because a
// syscall per answer is what limits a server whose answers come from another thread. Outlives its io thread: a task
// that comes after Close is destroyed unrun.
//
// Why a mutex and not a lock-free list: it is held for one push or one swap, and the wake-up beside it costs 50 times
// more. Threading: Post from any thread.
class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  explicit Mailbox(boost::asio::io_context* context) : context_(context) {}

  void Post(std::function<void()> task);
  void Close();

 private:
  void RunAll();

  std::mutex mutex_;
  boost::asio::io_context* context_;          // protected by mutex_; nullptr once closed
  std::vector<std::function<void()>> tasks_;  // protected by mutex_
  bool wake_up_posted_ = false;               // protected by mutex_
};

// One io_context with the one thread that runs it.
// Threading: Start, Stop and the destructor on the owner's thread; alive and mailbox from any.
class IoThread {
 public:
  IoThread();
  ~IoThread();  // as Stop
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  void Start();
  void Stop();  // drops what is queued, joins. Idempotent

  boost::asio::io_context& context() { return context_; }
  Mailbox& mailbox() { return *mailbox_; }
  std::shared_ptr<Mailbox> shared_mailbox() { return mailbox_; }
  bool alive() const;  // not started, stopped on purpose, or turned within the last 10 s

 private:
  void Beat();

  boost::asio::io_context context_;
  boost::asio::steady_timer heartbeat_;
  std::shared_ptr<Mailbox> mailbox_;
  std::atomic<std::int64_t> last_beat_ns_{0};  // steady clock; 0: not running
  std::thread thread_;
};

}  // namespace http::internal
