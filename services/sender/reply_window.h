#pragma once

#include <cstddef>
#include <cstdint>

#include "libs/bus/records_in_hand.h"

namespace sender {

// The replies of one partition that are in hand, read and not done. Threading: none; the intake guards it.
class ReplyWindow {
 public:
  ReplyWindow(std::size_t records_max, std::size_t bytes_max) : records_max_(records_max), bytes_max_(bytes_max) {}

  void Begin(std::int64_t offset, std::size_t bytes) { in_hand_.Begin(offset, bytes); }  // of its key and value
  void End(std::int64_t offset) { in_hand_.End(offset); }

  bool full() const { return in_hand_.count() >= records_max_ || in_hand_.bytes() >= bytes_max_; }
  // Half empty before it is filled again: pausing and resuming for each record would cost a fetch each.
  bool has_room() const { return in_hand_.count() <= records_max_ / 2 && in_hand_.bytes() <= bytes_max_ / 2; }

 private:
  const std::size_t records_max_;
  const std::size_t bytes_max_;
  bus::RecordsInHand in_hand_;
};

}  // namespace sender
