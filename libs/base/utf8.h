#pragma once

#include <cstddef>
#include <string_view>

namespace base {

// The front of some bytes read as UTF-8 (Unicode 15, section 3.9, table 3-7).
struct Utf8Step {
  std::size_t size;  // bytes taken, at least 1
  bool well_formed;  // false: `size` bytes are a maximal ill-formed part, to be shown as one U+FFFD
};

Utf8Step NextUtf8(std::string_view bytes);  // REQUIRES: not empty

bool IsUtf8(std::string_view bytes);

}  // namespace base
