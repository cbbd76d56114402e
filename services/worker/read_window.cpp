#include "services/worker/read_window.h"

#include <algorithm>

namespace worker {

void ReadWindow::Begin(std::int64_t offset) {
  unfinished_.insert(unfinished_.end(), offset);
  end_ = std::max(end_, offset + 1);
}

void ReadWindow::End(std::int64_t offset) { unfinished_.erase(offset); }

}  // namespace worker
