#include "libs/media/internal/source_policy.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "libs/base/str_cat.h"

namespace media::internal {
namespace {

account::Account AccountOf(mesh::bus::v1::Channel channel, bool development = false) {
  account::Account account;
  account.channel = channel;
  account.development = development;
  account.graph_base_url = "http://127.0.0.1:8090";
  return account;
}

Route RouteOfText(const std::string& text, const account::Account& account,
                  const std::vector<std::string>& hosts_more = {}) {
  const absl::StatusOr<http::Url> url = http::ParseUrl(text);
  return url.ok() ? RouteOf(*url, account, hosts_more) : Route::kRefused;
}

TEST(SourcePolicyTest, EachChannelHasItsMediaHosts) {
  const account::Account whatsapp = AccountOf(mesh::bus::v1::CHANNEL_WHATSAPP);
  const account::Account messenger = AccountOf(mesh::bus::v1::CHANNEL_MESSENGER);
  const account::Account instagram = AccountOf(mesh::bus::v1::CHANNEL_INSTAGRAM);
  EXPECT_EQ(RouteOfText("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1", whatsapp), Route::kPublic);
  EXPECT_EQ(RouteOfText("https://mmg.whatsapp.net/d/f/x", whatsapp), Route::kPublic);
  EXPECT_EQ(RouteOfText("https://mmg.whatsapp.net/d/f/x", messenger), Route::kRefused);
  EXPECT_EQ(RouteOfText("https://scontent.xx.fbcdn.net/v/t1.jpg?_nc=1", messenger), Route::kPublic);
  EXPECT_EQ(RouteOfText("HTTPS://CDN.FBSBX.COM/v/a.mp4", messenger), Route::kPublic);
  EXPECT_EQ(RouteOfText("https://scontent.cdninstagram.com/v/1", instagram), Route::kPublic);
  EXPECT_EQ(RouteOfText("https://scontent.cdninstagram.com/v/1", messenger), Route::kRefused);
  EXPECT_EQ(RouteOfText("https://lookaside.fbsbx.com/", AccountOf(mesh::bus::v1::CHANNEL_WEB)), Route::kRefused);
}

// Ways to write another host so that a careless reader takes it for one of them (A11).
TEST(SourcePolicyTest, NothingElseIsOne) {
  const account::Account account = AccountOf(mesh::bus::v1::CHANNEL_WHATSAPP);
  for (const char* url : {
           "http://lookaside.fbsbx.com/",
           "https://lookaside.fbsbx.com:444/",
           "https://lookaside.fbsbx.com:80/",
           "ftp://lookaside.fbsbx.com/",
           "https://fbsbx.com.evil.example/",
           "https://evilfbsbx.com/",
           "https://.fbsbx.com/",
           "https://fbsbx.com/",
           "https://evil.example/lookaside.fbsbx.com",
           "https://evil.example#.fbsbx.com",
           "https://evil.example?.fbsbx.com",
           "https://evil.example\\.fbsbx.com/",
           "https://evil.example\\@lookaside.fbsbx.com/",
           "https://lookaside.fbsbx.com@evil.example/",
           "https://lookaside.fbsbx.com:443@evil.example/",
           "https://user@lookaside.fbsbx.com/",
           "https://lookaside.fbsbx.com\r\nHost: evil.example/",
           "https://lookaside.fbsbx.com%00.evil.example/",
           "https://lookaside.fbsbx.com%2f@evil.example/",
           "https://lookaside.fbsbx.com./",
           "https:lookaside.fbsbx.com",
           "https:///lookaside.fbsbx.com/",
           "//lookaside.fbsbx.com/",
           "https://127.0.0.1/",
           "https://2130706433/",
           "https://0x7f000001/",
           "https://0177.0.0.1/",
           "https://127.1/",
           "https://[::1]/",
           "https://[::ffff:7f00:1]/",
           "https://169.254.169.254/latest/meta-data/",
           "https://localhost/",
           "https://metadata.google.internal/",
           "file:///etc/passwd",
           "gopher://lookaside.fbsbx.com/",
           "data:image/png;base64,AAAA",
           "https://lookaside.fbsbx.com:0/",
           "https://lookaside.fbsbx.com:99999/",
           "https://lookaside.fbsbx.com:4 43/",
           "http://127.0.0.1:8090/",
           "",
           " https://lookaside.fbsbx.com/",
           "https://lookaside.fbsbx.com\xE3\x80\x82"
           "evil.example/",
           "https://lookaside\xEF\xBC\x8E"
           "fbsbx.com/",
       }) {
    EXPECT_EQ(RouteOfText(url, account), Route::kRefused) << url;
  }
}

TEST(SourcePolicyTest, ADevelopmentAccountMayAlsoAskItsOwnGraphApiAndNothingBesideIt) {
  const account::Account account = AccountOf(mesh::bus::v1::CHANNEL_WHATSAPP, /*development=*/true);
  EXPECT_EQ(RouteOfText("http://127.0.0.1:8090/lookaside/1", account), Route::kGraph);
  EXPECT_EQ(RouteOfText("https://lookaside.fbsbx.com/", account), Route::kPublic);
  for (const char* url : {"http://127.0.0.1:8091/", "http://127.0.0.1/", "https://127.0.0.1:8090/",
                          "http://localhost:8090/", "http://[::1]:8090/", "http://169.254.169.254:8090/"}) {
    EXPECT_EQ(RouteOfText(url, account), Route::kRefused) << url;
  }
}

TEST(SourcePolicyTest, AnOperatorMayNameFurtherHosts) {
  const account::Account account = AccountOf(mesh::bus::v1::CHANNEL_MESSENGER);
  const std::vector<std::string> hosts = {"media.partner.example", ".cdn.example"};
  EXPECT_TRUE(CheckHosts(hosts).ok());
  EXPECT_EQ(RouteOfText("https://media.partner.example/1", account, hosts), Route::kPublic);
  EXPECT_EQ(RouteOfText("https://a.b.cdn.example/1", account, hosts), Route::kPublic);
  EXPECT_EQ(RouteOfText("https://scontent.xx.fbcdn.net/1", account, hosts), Route::kPublic) << "beside Meta's";
  for (const char* url :
       {"https://media.partner.example:8443/", "http://media.partner.example/", "https://a.media.partner.example/",
        "https://evil-media.partner.example/", "https://partner.example/", "https://cdn.example/",
        "https://evilcdn.example/", "https://media.partner.example.evil.example/", "https://.cdn.example/"}) {
    EXPECT_EQ(RouteOfText(url, account, hosts), Route::kRefused) << url;
  }
}

TEST(SourcePolicyTest, WhatIsNoHostIsNamed) {
  for (const char* host : {"", ".", "localhost", ".com", "10.0.0.1", "[::1]", "::1", "https://media.example.com",
                           "media.example.com:443", "media.example.com/", "*.example.com", "Media.Example.com",
                           "a..example", "media.example.com.", "-a.example", "user@media.example"}) {
    const absl::Status status = CheckHosts({"media.example.com", host});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << host;
    EXPECT_NE(std::string(status.message()).find(base::StrCat("'", host, "'")), std::string::npos) << status;
  }
}

TEST(SourcePolicyTest, ARedirectIsAWholeUrlOrAPathOfTheSameOrigin) {
  const http::Url from = *http::ParseUrl("https://a.fbcdn.net:8443/old?x=1");
  EXPECT_EQ(RedirectTarget(from, "/new?y=2")->Text(), "https://a.fbcdn.net:8443/new?y=2");
  EXPECT_EQ(RedirectTarget(from, "https://b.fbcdn.net/z")->Text(), "https://b.fbcdn.net/z");
  for (const char* location :
       {"", "new", "//evil.example/", "/\\evil.example/", "?x", "javascript:alert(1)", "https://user@evil.example/"}) {
    EXPECT_FALSE(RedirectTarget(from, location)) << location;
  }
}

}  // namespace
}  // namespace media::internal
