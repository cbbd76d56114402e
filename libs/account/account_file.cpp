#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>

#include "libs/account/account_book.h"
#include "libs/account/internal/account_reader.h"
#include "libs/base/check.h"
#include "libs/base/clock.h"
#include "libs/telemetry/log.h"

namespace account {
namespace {

// A file system that keeps time in coarse ticks may give two writes one time. A file changed this short before it was
// read is therefore read once more.
constexpr std::int64_t kTickNs = 100'000'000;

// What changes when a file does: change time (ns; unlike the modification time it also moves with permissions), size,
// and the inode, which a replaced or re-linked file changes. All zero for a file that is not there.
using Stamp = std::tuple<std::int64_t, std::int64_t, std::uint64_t>;

Stamp StampOf(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return {};
  return {info.st_ctim.tv_sec * std::int64_t{1'000'000'000} + info.st_ctim.tv_nsec, info.st_size, info.st_ino};
}

using Stamps = std::map<std::string, Stamp>;

Stamps StampsOf(const std::vector<std::string>& files) {
  Stamps stamps;
  for (const std::string& file : files) stamps[file] = StampOf(file);
  return stamps;
}

// The present stamps of the files that `stamps` names.
Stamps Refreshed(const Stamps& stamps) {
  Stamps refreshed;
  for (const auto& [file, unused] : stamps) refreshed[file] = StampOf(file);
  return refreshed;
}

class PolledAccountFile final : public AccountFile {
 public:
  PolledAccountFile(std::string path, int poll_interval_ms, internal::ReadResult first, std::int64_t read_at_ns)
      : path_(std::move(path)), poll_interval_(poll_interval_ms), book_(std::move(first.book)) {
    Remember(first.files, read_at_ns);
    thread_ = std::thread([this] { PollUntilStopped(); });
  }
  ~PolledAccountFile() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stop_.notify_all();
    thread_.join();
  }

  std::shared_ptr<const AccountBook> current() const override {
    std::lock_guard lock(mutex_);
    return book_;
  }
  std::int64_t reload_failures() const override { return failures_.load(std::memory_order_relaxed); }

 private:
  void PollUntilStopped() {
    std::unique_lock lock(mutex_);
    while (!stop_.wait_for(lock, poll_interval_, [this] { return stopping_; })) {
      lock.unlock();
      Poll();
      lock.lock();
    }
  }

  void Poll() {
    const bool has_changed = Refreshed(stamps_) != stamps_;
    if (!has_changed && !must_look_again_) return;
    const std::int64_t read_at_ns = base::Clock::Real().WallMs() * 1'000'000;
    internal::ReadResult result = internal::ReadAccounts(path_);
    Remember(result.files, read_at_ns);
    if (!result.status.ok()) {
      if (has_changed || !last_failed_) {
        failures_.fetch_add(1, std::memory_order_relaxed);
        telemetry::LogError("accounts_reload_failed", {{"path", path_}, {"error", result.status.message()}});
      }
      last_failed_ = true;
      return;
    }
    if (has_changed || last_failed_) {
      telemetry::LogInfo("accounts_reloaded", {{"path", path_}, {"accounts", result.book->accounts().size()}});
    }
    last_failed_ = false;
    std::lock_guard lock(mutex_);
    book_ = std::move(result.book);
  }

  // Stamps are taken after the reading: should a file change in between, the stamp is as young as the reading, and the
  // file is looked at again.
  void Remember(const std::vector<std::string>& files, std::int64_t read_at_ns) {
    stamps_ = StampsOf(files);
    must_look_again_ = false;
    for (const auto& [file, stamp] : stamps_) {
      if (std::get<0>(stamp) > read_at_ns - kTickNs) must_look_again_ = true;
    }
  }

  const std::string path_;
  const std::chrono::milliseconds poll_interval_;
  std::atomic<std::int64_t> failures_{0};

  // Used by the polling thread only, after construction.
  Stamps stamps_;
  bool must_look_again_ = false;
  bool last_failed_ = false;

  mutable std::mutex mutex_;
  std::condition_variable stop_;
  std::shared_ptr<const AccountBook> book_;  // protected by mutex_
  bool stopping_ = false;                    // protected by mutex_

  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<AccountFile>> AccountFile::Open(const std::string& path, int poll_interval_ms) {
  CHECK(poll_interval_ms > 0);
  const std::int64_t read_at_ns = base::Clock::Real().WallMs() * 1'000'000;
  internal::ReadResult result = internal::ReadAccounts(path);
  if (!result.status.ok()) return result.status;
  return std::make_unique<PolledAccountFile>(path, poll_interval_ms, std::move(result), read_at_ns);
}

}  // namespace account
