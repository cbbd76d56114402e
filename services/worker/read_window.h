#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

namespace worker {

// The offsets of one partition between the oldest unfinished one and the last one read, at most. The finished ones
// among them are named in the commit's metadata, which holds 18,000 offsets for sure (libs/bus/offset_tracker.h):
// beyond that, finished work would be repeated after a restart.
inline constexpr std::int64_t kSpanOffsetsMax = 18'000;

// How far one partition may be read ahead: it is full with so many unfinished records, or when the oldest unfinished
// one lies so far behind the last one read.
//
// Threading: none; the intake guards it.
class ReadWindow {
 public:
  explicit ReadWindow(std::size_t records_max) : records_max_(records_max) {}

  void Begin(std::int64_t offset);
  void End(std::int64_t offset);

  bool full() const { return unfinished_.size() >= records_max_ || span() >= kSpanOffsetsMax; }
  // Three quarters of the window, so that pause and resume do not alternate per record.
  bool has_room() const { return unfinished_.size() < records_max_ * 3 / 4 && span() < kSpanOffsetsMax * 3 / 4; }

  std::size_t unfinished_count() const { return unfinished_.size(); }
  std::int64_t span() const { return unfinished_.empty() ? 0 : end_ - *unfinished_.begin(); }  // offsets

 private:
  const std::size_t records_max_;
  std::set<std::int64_t> unfinished_;
  std::int64_t end_ = 0;  // one past the last offset begun
};

}  // namespace worker
