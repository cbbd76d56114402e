#pragma once

#include <chrono>
#include <cstdint>

namespace worker {

// Shows how far the weights are on their way to a card, once that takes longer than two seconds: a bar on a terminal,
// else a log line every ten seconds. Threading: one thread.
class LoadProgress {
 public:
  LoadProgress();

  void Show(std::int64_t bytes_done, std::int64_t bytes_total);
  void End();  // leaves the bar's line

 private:
  const bool on_terminal_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_{};
  bool bar_open_ = false;
};

}  // namespace worker
