#include "libs/media/internal/address_class.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace media::internal {
namespace {

struct Prefix {
  std::array<std::uint8_t, 16> bytes;
  int bits;
};

constexpr Prefix kNotPublicV4[] = {
    {{0}, 8},              // this network
    {{10}, 8},             // private
    {{100, 64}, 10},       // shared by carriers
    {{127}, 8},            // loopback
    {{169, 254}, 16},      // link-local
    {{172, 16}, 12},       // private
    {{192, 0, 0}, 24},     // protocol assignments
    {{192, 0, 2}, 24},     // documentation
    {{192, 88, 99}, 24},   // 6to4 relays
    {{192, 168}, 16},      // private
    {{198, 18}, 15},       // benchmarks
    {{198, 51, 100}, 24},  // documentation
    {{203, 0, 113}, 24},   // documentation
    {{224}, 4},            // multicast
    {{240}, 4},            // reserved, broadcast
};

constexpr Prefix kGlobalUnicast = {{0x20}, 3};
constexpr Prefix kNotPublicV6[] = {
    {{0x20, 0x01}, 23},              // protocol assignments, Teredo, benchmarks, ORCHID
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x20, 0x02}, 16},              // 6to4
    {{0x3f, 0xff}, 20},              // documentation
};
constexpr Prefix kNat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};

bool Contains(const Prefix& prefix, const std::array<std::uint8_t, 16>& address) {
  const auto whole = static_cast<std::size_t>(prefix.bits / 8);
  if (!std::equal(address.begin(), address.begin() + prefix.bits / 8, prefix.bytes.begin())) return false;
  const int rest = prefix.bits % 8;
  return rest == 0 || (address[whole] ^ prefix.bytes[whole]) >> (8 - rest) == 0;
}

bool ContainedInAny(std::span<const Prefix> prefixes, const std::array<std::uint8_t, 16>& address) {
  return std::ranges::any_of(prefixes, [&](const Prefix& prefix) { return Contains(prefix, address); });
}

}  // namespace

bool IsPublic(const http::IpAddress& address) {
  if (address.is_v4) return !ContainedInAny(kNotPublicV4, address.bytes);
  if (Contains(kNat64, address.bytes)) {
    http::IpAddress behind{.is_v4 = true};
    std::copy(address.bytes.begin() + 12, address.bytes.end(), behind.bytes.begin());
    return IsPublic(behind);
  }
  return Contains(kGlobalUnicast, address.bytes) && !ContainedInAny(kNotPublicV6, address.bytes);
}

}  // namespace media::internal
