#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace model {

// Memory for packed weights, one after another in the order of their use and in huge pages where the system gives them:
// a step reads all of it once from front to back, and with pages of 4 KiB the processor's prefetcher stops at the end
// of each.
//
// Ownership: what it gave out lives as long as the arena. Memory that was never written to costs nothing.
class WeightArena {
 public:
  // Starts on a cache line. Throws std::bad_alloc.
  std::uint8_t* Allocate(std::size_t bytes);

 private:
  struct Free {
    void operator()(std::uint8_t* p) const;
  };
  std::vector<std::unique_ptr<std::uint8_t[], Free>> chunks_;
  std::size_t used_ = 0, size_ = 0;  // of the last chunk
};

}  // namespace model
