#include "libs/config/host_name.h"

#include <gtest/gtest.h>

#include <string>

namespace config {
namespace {

TEST(HostNameTest, IsLabelsInLowerCase) {
  const std::string longest_label(63, 'a');
  std::string longest = longest_label + "." + longest_label + "." + longest_label + "." + std::string(61, 'a');
  for (const std::string& text : {std::string("a.example"), std::string("cdn-2.acme.example"), std::string("1.2.3.x4"),
                                  std::string("xn--bcher-kva.example"), longest_label + ".example", longest}) {
    EXPECT_TRUE(IsHostName(text)) << text;
  }
  EXPECT_FALSE(IsHostName(longest + "a")) << "more than 253 bytes";
  EXPECT_FALSE(IsHostName(longest_label + "a.example"));
}

TEST(HostNameTest, NothingElseIsOne) {
  for (const char* text : {"",
                           ".",
                           "..",
                           "localhost",
                           ".example.com",
                           "a..example",
                           "a.example.",
                           "A.example",
                           "10.0.0.1",
                           "127.1",
                           "2130706433",
                           "::1",
                           "[::1]",
                           "a.example:443",
                           "a.example/",
                           "https://a.example",
                           "*.a.example",
                           "a_b.example",
                           "-a.example",
                           "a-.example",
                           "a.-example",
                           "user@a.example",
                           "a.example ",
                           "\xC3\xA9.example"}) {
    EXPECT_FALSE(IsHostName(text)) << text;
  }
}

}  // namespace
}  // namespace config
