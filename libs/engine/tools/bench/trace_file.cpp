#include "libs/engine/tools/bench/trace_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"

namespace engine::bench {
namespace {

double Microseconds(model::LaunchTrace::Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

}  // namespace

absl::Status WriteTraceFile(const model::LaunchTrace& trace, const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"), &std::fclose);
  if (file == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat("can't write the trace ", path));
  auto start = model::LaunchTrace::Clock::time_point::max();
  for (int thread = 0; thread < trace.threads(); ++thread) {
    if (!trace.events(thread).empty()) start = std::min(start, trace.events(thread).front().begin);
  }
  std::fprintf(file.get(),
               "{\"displayTimeUnit\": \"ms\", \"otherData\": {\"dropped_events\": %lld}, \"traceEvents\": [",
               static_cast<long long>(trace.dropped()));
  const char* separator = "\n";
  for (int thread = 0; thread < trace.threads(); ++thread) {
    for (const model::LaunchTrace::Event& event : trace.events(thread)) {
      std::fprintf(file.get(),
                   "%s{\"name\": \"%s%s\", \"ph\": \"X\", \"pid\": 1, \"tid\": %d, \"ts\": %.3f, \"dur\": %.3f, "
                   "\"args\": {\"rows\": %lld, \"tasks\": %lld}}",
                   separator, event.label.name, event.label.part, thread, Microseconds(event.begin - start),
                   Microseconds(event.end - event.begin), static_cast<long long>(event.label.rows),
                   static_cast<long long>(event.tasks));
      separator = ",\n";
    }
  }
  const bool written = std::fputs("\n]}\n", file.get()) >= 0 && std::fflush(file.get()) == 0;
  return written ? absl::OkStatus() : absl::ErrnoToStatus(errno, absl::StrCat("can't write the trace ", path));
}

}  // namespace engine::bench
