#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace telemetry::internal {

// Writes whole lines to one file descriptor, each in one write(2), so that lines of several processes appending to one
// file or terminal do not mix. A line that cannot be written is counted, not retried: a full disk must not stop a
// service.
//
// Threading: one caller at a time (Write); lines_failed() from any thread. The descriptor is not closed.
class LineSink {
 public:
  explicit LineSink(int fd) : fd_(fd) {}

  void Write(std::string_view line_with_newline);

  std::int64_t lines_failed() const { return lines_failed_.load(std::memory_order_relaxed); }

 private:
  bool WriteAll(std::string_view bytes);

  const int fd_;
  bool is_line_open_ = false;  // the last write ended inside a line
  std::atomic<std::int64_t> lines_failed_{0};
};

}  // namespace telemetry::internal
