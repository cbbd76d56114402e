#pragma once

#include <array>
#include <cstdint>

namespace http {

// An IPv4 or IPv6 address as it stands in packets.
struct IpAddress {
  bool is_v4 = false;
  std::array<std::uint8_t, 16> bytes = {};  // of IPv4 the first four
};

}  // namespace http
