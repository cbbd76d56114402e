#include "services/worker/load_progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "libs/telemetry/log.h"

namespace worker {
namespace {

constexpr base::Duration kQuietFor = std::chrono::seconds(2);
constexpr base::Duration kBarInterval = std::chrono::milliseconds(200);
constexpr base::Duration kLogInterval = std::chrono::seconds(10);
constexpr std::size_t kBarColumns = 40;

}  // namespace

LoadProgress::LoadProgress(const base::Clock& clock)
    : clock_(clock), on_terminal_(isatty(STDERR_FILENO) == 1), began_(clock.Now()) {}

void LoadProgress::Show(std::int64_t bytes_done, std::int64_t bytes_total) {
  const base::MonotonicTime now = clock_.Now();
  if (now - began_ < kQuietFor || bytes_total <= 0) return;
  const base::Duration interval = on_terminal_ ? kBarInterval : kLogInterval;
  if (shown_.has_value() && now - *shown_ < interval && bytes_done < bytes_total) return;
  shown_ = now;
  const double share = std::min(1.0, static_cast<double>(bytes_done) / static_cast<double>(bytes_total));
  const double seconds = base::ToSeconds(now - began_);
  const double rate = static_cast<double>(bytes_done) / seconds;
  if (!on_terminal_) {
    telemetry::LogInfo("loading_weights", {{"percent", share * 100}, {"bytes_per_second", rate}});
    return;
  }
  const auto full = static_cast<std::size_t>(share * static_cast<double>(kBarColumns));
  std::fprintf(stderr, "\rweights to the device [%s%s] %3.0f %% of %.1f GB, %.1f GB/s ", std::string(full, '#').c_str(),
               std::string(kBarColumns - full, '.').c_str(), share * 100, static_cast<double>(bytes_total) / 1e9,
               rate / 1e9);
  bar_open_ = true;
}

void LoadProgress::End() {
  if (bar_open_) std::fputc('\n', stderr);
  bar_open_ = false;
}

}  // namespace worker
