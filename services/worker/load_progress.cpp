#include "services/worker/load_progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "libs/telemetry/log.h"

namespace worker {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kQuietFor(2);
constexpr std::chrono::milliseconds kBarInterval(200);
constexpr std::chrono::seconds kLogInterval(10);
constexpr std::size_t kBarColumns = 40;

}  // namespace

LoadProgress::LoadProgress() : on_terminal_(isatty(STDERR_FILENO) == 1) {}

void LoadProgress::Show(std::int64_t bytes_done, std::int64_t bytes_total) {
  const auto now = steady_clock::now();
  if (now - began_ < kQuietFor || bytes_total <= 0) return;
  if (now - shown_ < (on_terminal_ ? steady_clock::duration(kBarInterval) : steady_clock::duration(kLogInterval)))
    return;
  shown_ = now;
  const double share = std::min(1.0, static_cast<double>(bytes_done) / static_cast<double>(bytes_total));
  const double seconds = std::chrono::duration<double>(now - began_).count();
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
