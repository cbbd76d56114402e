#include "libs/telemetry/log.h"

#include <fcntl.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "libs/base/check.h"
#include "libs/base/hex.h"
#include "libs/crypto/digest.h"
#include "libs/crypto/random.h"
#include "libs/telemetry/internal/json_line.h"
#include "libs/telemetry/internal/line_sink.h"

namespace telemetry {
namespace {

constexpr std::size_t kQueueLinesMax = 8192;  // about 4 MB when full of usual lines
constexpr std::size_t kTextBytesMax = 4096;
constexpr std::chrono::seconds kFlushWait{2};

// Gives the asynchronous logger's lines to a LineSink and tells FlushLogs when the queue was drained up to its mark.
// Formatting happened on the caller's thread: spdlog only carries the finished line.
class QueueSink final : public spdlog::sinks::sink {
 public:
  explicit QueueSink(int fd) : lines_(fd) {}

  void log(const spdlog::details::log_msg& message) override {
    lines_.Write(std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush() override {
    {
      std::lock_guard lock(mutex_);
      ++flushes_;
    }
    flushed_.notify_all();
  }
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

  std::uint64_t flushes() const {
    std::lock_guard lock(mutex_);
    return flushes_;
  }
  bool WaitForFlushAfter(std::uint64_t seen, std::chrono::milliseconds wait) const {
    std::unique_lock lock(mutex_);
    return flushed_.wait_for(lock, wait, [&] { return flushes_ > seen; });
  }
  std::int64_t lines_failed() const { return lines_.lines_failed(); }

 private:
  internal::LineSink lines_;
  mutable std::mutex mutex_;
  mutable std::condition_variable flushed_;
  std::uint64_t flushes_ = 0;  // protected by mutex_
};

struct AsyncWriter {
  explicit AsyncWriter(int fd)
      : sink(std::make_shared<QueueSink>(fd)),
        pool(std::make_shared<spdlog::details::thread_pool>(kQueueLinesMax, /*threads_n=*/1)),
        logger(std::make_shared<spdlog::async_logger>("musemesh", sink, pool,
                                                      spdlog::async_overflow_policy::overrun_oldest)) {
    logger->set_level(spdlog::level::trace);  // levels were decided before; spdlog passes all on
  }

  std::shared_ptr<QueueSink> sink;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::async_logger> logger;
  std::mutex flush_mutex;
};

// One a process. Never destroyed, so that threads which outlive main may still log.
struct LogState {
  std::atomic<LogLevel> level{LogLevel::kInfo};
  std::atomic<AsyncWriter*> writer{nullptr};  // set once by StartLogging
  std::string service;                        // constant once `writer` is set
  std::mutex direct_mutex;
  internal::LineSink direct{STDERR_FILENO};  // protected by direct_mutex; used before StartLogging
};

LogState& State() {
  static LogState& state = *new LogState;
  return state;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  CHECK_MSG(false, "a value outside the enumeration");
  return "";
}

// 2025-01-31T23:59:59.123Z
std::string Timestamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                         utc.tm_hour, utc.tm_min, utc.tm_sec, ms % 1000);
}

void AppendText(std::string& line, std::string_view key, std::string_view text) {
  if (line.size() > 1) line.push_back(',');
  internal::AppendJsonString(line, key, kTextBytesMax);
  line.push_back(':');
  internal::AppendJsonString(line, text, kTextBytesMax);
}

std::string FormatLine(LogLevel level, std::string_view service, std::string_view event, const TraceContext* trace,
                       std::initializer_list<LogField> fields) {
  std::string line = "{";
  AppendText(line, "ts", Timestamp());
  AppendText(line, "level", LevelName(level));
  if (!service.empty()) AppendText(line, "service", service);
  AppendText(line, "event", event);
  if (trace != nullptr) {
    AppendText(line, "trace_id", trace->trace_id);
    AppendText(line, "span_id", trace->span_id);
  }
  for (const LogField& field : fields) {
    if (!field.is_literal) {
      AppendText(line, field.key, field.text);
      continue;
    }
    line.push_back(',');
    internal::AppendJsonString(line, field.key, kTextBytesMax);
    line.push_back(':');
    line += field.text;
  }
  line += "}\n";
  return line;
}

void WriteLine(LogLevel level, std::string_view event, const TraceContext* trace,
               std::initializer_list<LogField> fields) {
  LogState& state = State();
  if (level < state.level.load(std::memory_order_relaxed)) return;
  if (AsyncWriter* const writer = state.writer.load(std::memory_order_acquire); writer != nullptr) {
    const std::string line = FormatLine(level, state.service, event, trace, fields);
    writer->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
    return;
  }
  const std::string line = FormatLine(level, "", event, trace, fields);
  std::lock_guard lock(state.direct_mutex);
  state.direct.Write(line);
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (name == LevelName(level)) return level;
  }
  return std::nullopt;
}

LogField::LogField(std::string_view k, double v)
    : key(k), text(absl::StrFormat("%.10g", v)), is_literal(std::isfinite(v)) {}

absl::Status StartLogging(const LogOptions& options) {
  LogState& state = State();
  CHECK_MSG(state.writer.load() == nullptr, "StartLogging is called once");
  absl::Status status;
  int fd = STDERR_FILENO;
  if (!options.path.empty()) {
    // 0600: lines hold ids of conversations, though never text.
    const int file = open(options.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file >= 0) {
      fd = file;
    } else {
      status = absl::InvalidArgumentError(absl::StrCat(
          "log file ", options.path, " cannot be opened for appending: ", std::strerror(errno), "; see --log-path"));
    }
  }
  state.service = options.service;
  state.level.store(options.level);
  state.writer.store(new AsyncWriter(fd), std::memory_order_release);
  return status;
}

// A flush mark travels through the queue like a line, and like a line it may be overrun, so it is posted again until
// one arrives. Callers are served one after the other: a mark of somebody else must not be taken for ours.
void FlushLogs() {
  AsyncWriter* const writer = State().writer.load(std::memory_order_acquire);
  if (writer == nullptr) return;
  std::lock_guard lock(writer->flush_mutex);
  const auto deadline = std::chrono::steady_clock::now() + kFlushWait;
  const std::uint64_t seen = writer->sink->flushes();
  do {
    writer->logger->flush();
    if (writer->sink->WaitForFlushAfter(seen, std::chrono::milliseconds(100))) return;
  } while (std::chrono::steady_clock::now() < deadline);
}

std::int64_t LogLinesDropped() {
  LogState& state = State();
  std::int64_t dropped = state.direct.lines_failed();
  if (AsyncWriter* const writer = state.writer.load(std::memory_order_acquire); writer != nullptr) {
    dropped += writer->sink->lines_failed() + static_cast<std::int64_t>(writer->pool->overrun_counter());
  }
  return dropped;
}

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  WriteLine(level, event, nullptr, fields);
}

void Log(LogLevel level, std::string_view event, const TraceContext& trace, std::initializer_list<LogField> fields) {
  WriteLine(level, event, &trace, fields);
}

std::string LogHash(std::string_view personal_id) {
  static const std::string& key = *new std::string(crypto::RandomBytes(32));
  const crypto::Sha256Digest digest = crypto::HmacSha256(key, personal_id);
  return base::ToHex(crypto::AsBytes(digest).substr(0, 6));
}

}  // namespace telemetry
