#pragma once

#include <cstddef>
#include <cstdint>

#include "libs/bus/records_in_hand.h"

namespace worker {

// The offsets of one partition between the oldest unfinished one and the last one read, at most. The finished ones
// among them are named in the commit's metadata, which holds 18,000 offsets for sure (libs/bus/offset_tracker.h):
// beyond that, finished work would be repeated after a restart.
inline constexpr std::int64_t kSpanOffsetsMax = 18'000;

// How far one partition may be read ahead: it is full with so many unfinished records, or so many bytes of them, or
// when the oldest unfinished one lies so far behind the last one read. A record may have 4 MiB, so that a few thousand
// of them would be more than any machine has.
//
// Threading: none; the intake guards it.
class ReadWindow {
 public:
  ReadWindow(std::size_t records_max, std::size_t bytes_max) : records_max_(records_max), bytes_max_(bytes_max) {}

  void Begin(std::int64_t offset, std::size_t bytes) { unfinished_.Begin(offset, bytes); }  // of its key and value
  void End(std::int64_t offset) { unfinished_.End(offset); }

  bool full() const { return IsBeyond(records_max_, bytes_max_, kSpanOffsetsMax); }
  // Three quarters of the window, so that pause and resume do not alternate per record.
  bool has_room() const { return !IsBeyond(records_max_ * 3 / 4, bytes_max_ * 3 / 4, kSpanOffsetsMax * 3 / 4); }

  std::size_t unfinished_count() const { return unfinished_.count(); }
  std::int64_t span() const { return unfinished_.span(); }  // offsets

 private:
  bool IsBeyond(std::size_t records, std::size_t bytes, std::int64_t offsets) const {
    return unfinished_.count() >= records || unfinished_.bytes() >= bytes || span() >= offsets;
  }

  const std::size_t records_max_;
  const std::size_t bytes_max_;
  bus::RecordsInHand unfinished_;
};

}  // namespace worker
