#include "libs/media/internal/address_class.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

namespace media::internal {
namespace {

http::IpAddress Address(const std::string& text) {
  http::IpAddress address;
  address.is_v4 = text.find(':') == std::string::npos;
  EXPECT_EQ(::inet_pton(address.is_v4 ? AF_INET : AF_INET6, text.c_str(), address.bytes.data()), 1) << text;
  return address;
}

TEST(AddressClassTest, OnlyThePublicInternetIsPublic) {
  for (const char* text : {
           // both ends of each range, and both neighbours where they are public
           "0.0.0.0",
           "0.255.255.255",
           "10.0.0.0",
           "10.255.255.255",
           "100.64.0.0",
           "100.127.255.255",
           "127.0.0.1",
           "127.255.255.255",
           "169.254.0.0",
           "169.254.169.254",
           "169.254.255.255",
           "172.16.0.0",
           "172.31.255.255",
           "192.0.0.0",
           "192.0.0.255",
           "192.0.2.1",
           "192.88.99.1",
           "192.168.0.0",
           "192.168.255.255",
           "198.18.0.0",
           "198.19.255.255",
           "198.51.100.7",
           "203.0.113.255",
           "224.0.0.1",
           "239.255.255.255",
           "240.0.0.1",
           "255.255.255.255",
           "::",
           "::1",
           "::ffff:10.0.0.1",
           "::ffff:127.0.0.1",
           "::ffff:8.8.8.8",
           "::7f00:1",
           "64:ff9b::10.0.0.1",
           "64:ff9b::127.0.0.1",
           "64:ff9b::169.254.169.254",
           "64:ff9b:1::8.8.8.8",
           "100::1",
           "2001::1",
           "2001:0:5ef5:79fd::1",
           "2001:2::1",
           "2001:10::1",
           "2001:1ff:ffff::1",
           "2001:db8::1",
           "2002:7f00:1::1",
           "2002:808:808::1",
           "3fff::1",
           "4000::1",
           "1fff::1",
           "fc00::1",
           "fd00:ec2::254",
           "fe80::1",
           "febf::1",
           "fec0::1",
           "ff02::1",
           "ff0e::1",
       }) {
    EXPECT_FALSE(IsPublic(Address(text))) << text;
  }
  for (const char* text : {
           "1.0.0.0",        "8.8.8.8",         "9.255.255.255",    "11.0.0.0",
           "100.63.255.255", "100.128.0.0",     "126.255.255.255",  "128.0.0.0",
           "157.240.1.35",   "169.253.255.255", "169.255.0.0",      "172.15.255.255",
           "172.32.0.0",     "192.0.1.0",       "192.0.3.0",        "192.167.255.255",
           "192.169.0.0",    "198.17.255.255",  "198.20.0.0",       "223.255.255.255",
           "2000::1",        "2001:200::1",     "2003::1",          "2a03:2880:f12f:83:face:b00c:0:25de",
           "3ffe::1",        "3fff:1000::1",    "64:ff9b::8.8.8.8",
       }) {
    EXPECT_TRUE(IsPublic(Address(text))) << text;
  }
}

}  // namespace
}  // namespace media::internal
