#include "libs/bus/records_in_hand.h"

#include <algorithm>

namespace bus {

void RecordsInHand::Begin(std::int64_t offset, std::size_t bytes) {
  if (bytes_of_.emplace(offset, bytes).second) bytes_ += bytes;
  end_ = std::max(end_, offset + 1);
}

void RecordsInHand::End(std::int64_t offset) {
  const auto ended = bytes_of_.find(offset);
  if (ended == bytes_of_.end()) return;
  bytes_ -= ended->second;
  bytes_of_.erase(ended);
}

}  // namespace bus
