#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "loadtest/fake_channel_api/send.h"

namespace fake_channel_api {

// What users have seen: every accepted send, on disk and for GET /sends; and in memory, for GET /actions, the actions.
//
// Threading: safe from any thread; appends are one write(2) each under a lock, so lines are whole and in order.
// Memory:    the newest kSendsMax sends, at most kBytesMax of lines; older ones are only in the file.
class SendLog {
 public:
  static constexpr std::size_t kSendsMax = 100'000;
  static constexpr std::size_t kBytesMax = 64u << 20;

  // Opens `path` for appending, mode 0600; empty: memory only.
  static absl::StatusOr<std::unique_ptr<SendLog>> Open(const std::string& path, bool fsync);
  ~SendLog();
  SendLog(const SendLog&) = delete;
  SendLog& operator=(const SendLog&) = delete;

  // Returns once the line is in the file (on disk with `fsync`). On an error the send must not be accepted.
  absl::Status Append(const Send& send) { return Append(send.user, ToJsonLine(send)); }
  absl::Status Append(std::string_view user, std::string line);  // without its newline

  struct Page {
    std::string lines;          // each ended by a newline
    std::uint64_t next = 0;     // `since` of the next page
    std::uint64_t dropped = 0;  // asked for, but no longer in memory
  };
  // Sends number `since` and later, counted from 0 at the start of the process; `user` empty for all. At most
  // `count_max` lines.
  Page Read(std::uint64_t since, std::string_view user, std::size_t count_max) const;

  std::uint64_t count() const;  // sends accepted since the start

 private:
  SendLog(int file, bool fsync) : file_(file), fsync_(fsync) {}

  struct Line {
    std::string user;
    std::string text;
  };

  const int file_;  // -1: memory only
  const bool fsync_;
  mutable std::mutex mutex_;
  std::deque<Line> lines_;          // protected by mutex_
  std::size_t bytes_ = 0;           // protected by mutex_
  std::uint64_t first_number_ = 0;  // of lines_.front(); protected by mutex_
};

}  // namespace fake_channel_api
