#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace sender {

// The replies of one partition that are in hand, read and not done. A reply may have 4 MiB, so their number alone
// bounds nothing. Threading: none; the intake guards it.
class ReplyWindow {
 public:
  ReplyWindow(std::size_t records_max, std::size_t bytes_max) : records_max_(records_max), bytes_max_(bytes_max) {}

  void Begin(std::int64_t offset, std::size_t bytes) {  // of its key and value
    if (in_hand_.emplace(offset, bytes).second) bytes_ += bytes;
  }
  void End(std::int64_t offset) {
    const auto ended = in_hand_.find(offset);
    if (ended == in_hand_.end()) return;
    bytes_ -= ended->second;
    in_hand_.erase(ended);
  }

  bool full() const { return in_hand_.size() >= records_max_ || bytes_ >= bytes_max_; }
  // Half empty before it is filled again: pausing and resuming for each record would cost a fetch each.
  bool has_room() const { return in_hand_.size() <= records_max_ / 2 && bytes_ <= bytes_max_ / 2; }

 private:
  const std::size_t records_max_;
  const std::size_t bytes_max_;
  std::map<std::int64_t, std::size_t> in_hand_;  // bytes by offset
  std::size_t bytes_ = 0;                        // of all of them
};

}  // namespace sender
