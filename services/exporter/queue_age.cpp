#include "services/exporter/queue_age.h"

#include <algorithm>

namespace exporter {

void QueueAge::Look(std::int32_t partition, base::MonotonicTime now, std::int64_t position, std::int64_t end) {
  Partition& state = partitions_[partition];
  state.position = position;
  // A topic made anew starts below what was seen: what is remembered of the old one says nothing.
  if (!state.looks.empty() && end < state.looks.back().end) state.looks.clear();
  state.looks.push_back({now, end});
  while (state.looks.size() > 1 && state.looks[1].end <= position) state.looks.pop_front();
  if (state.looks.size() > kLooksMax) state.looks.erase(state.looks.begin() + 1);
}

base::Duration QueueAge::Oldest(base::MonotonicTime now) const {
  base::Duration oldest{};
  for (const auto& [number, partition] : partitions_) {
    if (partition.looks.back().end <= partition.position) continue;
    oldest = std::max(oldest, base::Duration(now - partition.looks.front().at));
  }
  return oldest;
}

}  // namespace exporter
