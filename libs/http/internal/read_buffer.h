#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "libs/base/check.h"

namespace http::internal {

// Bytes received and not parsed yet, contiguous. Keeps at most 4 KiB while empty, for thousands of connections idle.
// Threading: none.
class ReadBuffer {
 public:
  std::string_view bytes() const { return {data_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }

  // Room for `count` more bytes behind those there; valid until the next call.
  std::span<char> Prepare(std::size_t count) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ + count > capacity_) Regrow(count);
    return {data_.get() + end_, count};
  }
  void Commit(std::size_t count) {
    CHECK(count <= capacity_ - end_);
    end_ += count;
  }
  // May release the memory: not while a read into what Prepare gave is pending.
  void Consume(std::size_t count) {
    CHECK(count <= size());
    begin_ += count;
    if (begin_ != end_) return;
    begin_ = end_ = 0;
    if (capacity_ > kIdleBytesMax) {
      data_.reset();
      capacity_ = 0;
    }
  }

 private:
  static constexpr std::size_t kIdleBytesMax = 4096;

  void Regrow(std::size_t count) {
    const std::size_t used = size();
    // Moving to the front is enough when half of the memory is free; else grow by half, so that copying stays linear.
    if (used + count <= capacity_ / 2) {
      std::memmove(data_.get(), data_.get() + begin_, used);
    } else {
      const std::size_t capacity = used + count + used / 2;
      std::unique_ptr<char[]> grown(new char[capacity]);
      if (used > 0) std::memcpy(grown.get(), data_.get() + begin_, used);
      data_ = std::move(grown);
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = used;
  }

  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace http::internal
