#include "libs/telemetry/internal/line_sink.h"

#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace telemetry::internal {

void LineSink::Write(std::string_view line_with_newline) {
  if (is_line_open_) {
    // Ends the torn line, so that only that one is lost to readers.
    if (!WriteAll("\n")) {
      lines_failed_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    is_line_open_ = false;
  }
  if (!WriteAll(line_with_newline)) lines_failed_.fetch_add(1, std::memory_order_relaxed);
}

bool LineSink::WriteAll(std::string_view bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = write(fd_, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      is_line_open_ = is_line_open_ || written > 0;
      return false;
    }
    written += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace telemetry::internal
