#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace tensor {

static_assert(std::endian::native == std::endian::little, "GGUF is read without byte swapping");

// The only way in which this library reads the bytes of a file: each read is checked against what is left, so that no
// length in the file can lead outside it. Positions only grow.
class ByteCursor {
 public:
  explicit ByteCursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t offset() const { return offset_; }
  std::size_t remaining() const { return bytes_.size() - offset_; }

  // The next `count` bytes, or nullopt (and no move) when fewer are left.
  std::optional<std::span<const std::byte>> Take(std::uint64_t count) {
    if (count > remaining()) return std::nullopt;
    const auto taken = bytes_.subspan(offset_, static_cast<std::size_t>(count));
    offset_ += taken.size();
    return taken;
  }

  // A little-endian number at any alignment.
  template <typename T>
  requires std::integral<T> || std::floating_point<T> std::optional<T> Read() {
    const auto taken = Take(sizeof(T));
    if (!taken.has_value()) return std::nullopt;
    T value;
    std::memcpy(&value, taken->data(), sizeof(T));
    return value;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t offset_ = 0;
};

}  // namespace tensor
