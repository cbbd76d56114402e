#include "libs/kvcache/internal/sip_hash.h"

#include <gtest/gtest.h>

#include <array>

namespace kvcache {
namespace {

// The first and last vectors of the reference implementation (vectors.h, SipHash-2-4, 64 bits): key 00 01 .. 0f,
// message 00 01 .. of the given length.
TEST(SipHashTest, EqualsTheAuthorsVectors) {
  const SipKey key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
  std::array<std::byte, 63> message;
  for (std::size_t i = 0; i < message.size(); ++i) message[i] = static_cast<std::byte>(i);
  EXPECT_EQ(SipHash(key, std::span(message).first(0)), 0x726fdb47dd0e0e31U);
  EXPECT_EQ(SipHash(key, std::span(message).first(1)), 0x74f839c593dc67fdU);
  EXPECT_EQ(SipHash(key, std::span(message).first(8)), 0x93f5f5799a932462U);
  EXPECT_EQ(SipHash(key, std::span(message).first(15)), 0xa129ca6149be45e5U);
}

}  // namespace
}  // namespace kvcache
