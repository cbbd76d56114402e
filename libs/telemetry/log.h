#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "libs/telemetry/trace.h"

namespace telemetry {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

std::optional<LogLevel> ParseLogLevel(std::string_view name);  // "debug", "info", "warning", "error"

// One key and value of a log line. Text from users or the model must never be logged; ids of people only hashed
// (LogHash in this file). Text longer than 4 KiB is cut; bytes that are not UTF-8 become U+FFFD.
struct LogField {
  LogField(std::string_view k, std::string_view v) : key(k), text(v) {}
  LogField(std::string_view k, const char* v) : key(k), text(v) {}
  LogField(std::string_view k, const std::string& v) : key(k), text(v) {}
  // absl::string_view, where Abseil was built with a type of its own (Debian 12).
  template <typename View>
  requires(!std::is_convertible_v<View, std::string_view> && requires(View v) { std::string(v.data(), v.size()); })
      LogField(std::string_view k, View v)
      : key(k), text(v.data(), v.size()) {}
  LogField(std::string_view k, bool v) : key(k), text(v ? "true" : "false"), is_literal(true) {}
  LogField(std::string_view k, double v);
  template <typename Int>
  requires std::is_integral_v<Int> LogField(std::string_view k, Int v)
      : key(k), text(std::to_string(v)), is_literal(true) {}

  std::string_view key;
  std::string text;
  bool is_literal = false;  // written without quotes
};

struct LogOptions {
  std::string service;               // on every line
  LogLevel level = LogLevel::kInfo;  // lines below are dropped
  std::string path;                  // empty: stderr
};

// Starts the asynchronous writer (bounded queue of 8,192 lines; when full the oldest is dropped and counted). Before
// this call, and in tests, lines go to stderr synchronously. Call once, early in main. A path that cannot be opened for
// appending is an error; the lines then go to stderr.
absl::Status StartLogging(const LogOptions& options);
void FlushLogs();  // waits until the lines logged before are written, at most 2 s; before exit

// Lines of this process that were never written: the queue was full or the write failed (disk full). Exported as a
// metric by libs/app, so that missing lines are seen.
std::int64_t LogLinesDropped();

// One JSON object a line: {"ts":"...","level":"info","service":"gateway","event":"webhook_accepted",...fields}
// `event` is a fixed snake_case word, so that lines can be counted by it. Safe from any thread; waits for no I/O once
// StartLogging was called.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
void Log(LogLevel level, std::string_view event, const TraceContext& trace,
         std::initializer_list<LogField> fields = {});

inline void LogInfo(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, fields);
}
inline void LogWarning(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, event, fields);
}
inline void LogError(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, fields);
}

std::string LogHash(std::string_view personal_id);  // 12 hex digits of a keyed hash, the key random per process start

}  // namespace telemetry
