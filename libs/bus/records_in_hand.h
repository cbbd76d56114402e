#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace bus {

// The records of one partition that were handed over and are not done, counted for whoever pauses the partition when
// they are too many. A record may have 4 MiB, so their number alone bounds nothing. Threading: none; the owner guards
// it.
class RecordsInHand {
 public:
  void Begin(std::int64_t offset, std::size_t bytes);  // of its key and value; one that is in hand counts once
  void End(std::int64_t offset);                       // ignored for one that is not in hand

  std::size_t count() const { return bytes_of_.size(); }
  std::size_t bytes() const { return bytes_; }
  // Offsets from the oldest in hand to the last one begun, both counted; 0 when there is none in hand.
  std::int64_t span() const { return bytes_of_.empty() ? 0 : end_ - bytes_of_.begin()->first; }

 private:
  std::map<std::int64_t, std::size_t> bytes_of_;  // by offset
  std::size_t bytes_ = 0;                         // of all of them
  std::int64_t end_ = 0;                          // one past the last offset begun
};

}  // namespace bus
