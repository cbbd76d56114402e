#pragma once

#include "libs/http/ip_address.h"

namespace media::internal {

// Whether the address belongs to the public Internet: none that is private, shared, loopback, link-local (metadata
// services of clouds among them), multicast, reserved, for documentation, or that hides an IPv4 address of that kind
// (RFC 6890, IANA's special-purpose registries). Of IPv6 only 2000::/3 and NAT64 are public; a mapped IPv4 address is
// not.
bool IsPublic(const http::IpAddress& address);

}  // namespace media::internal
