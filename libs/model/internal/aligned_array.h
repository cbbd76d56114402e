#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace model {

// A fixed array of numbers that starts on a cache line. Uninitialised, so pages that are never used cost nothing.
template <typename T>
class AlignedArray {
 public:
  explicit AlignedArray(std::int64_t count)
      : memory_(static_cast<T*>(std::aligned_alloc(
            kAlignment, (static_cast<std::size_t>(count) * sizeof(T) + kAlignment) / kAlignment * kAlignment))) {
    if (memory_ == nullptr) throw std::bad_alloc();
  }

  T* data() const { return memory_.get(); }

 private:
  static constexpr std::size_t kAlignment = 64;
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T[], Free> memory_;
};

using AlignedFloats = AlignedArray<float>;

}  // namespace model
