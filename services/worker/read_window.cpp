#include "services/worker/read_window.h"

#include <algorithm>

namespace worker {

void ReadWindow::Begin(std::int64_t offset, std::size_t bytes) {
  if (unfinished_.emplace(offset, bytes).second) bytes_ += bytes;
  end_ = std::max(end_, offset + 1);
}

void ReadWindow::End(std::int64_t offset) {
  const auto ended = unfinished_.find(offset);
  if (ended == unfinished_.end()) return;
  bytes_ -= ended->second;
  unfinished_.erase(ended);
}

}  // namespace worker
