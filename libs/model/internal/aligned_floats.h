#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace model {

// A fixed array of floats that starts on a cache line. Uninitialised, so pages that are never used cost nothing.
class AlignedFloats {
 public:
  explicit AlignedFloats(std::int64_t count)
      : memory_(static_cast<float*>(std::aligned_alloc(
            kAlignment, (static_cast<std::size_t>(count) * sizeof(float) + kAlignment) / kAlignment * kAlignment))) {
    if (memory_ == nullptr) throw std::bad_alloc();
  }

  float* data() const { return memory_.get(); }

 private:
  static constexpr std::size_t kAlignment = 64;
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float[], Free> memory_;
};

}  // namespace model
