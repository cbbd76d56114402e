#include "loadtest/fake_channel_api/media.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "libs/json/value.h"

namespace fake_channel_api {
namespace {

class MediaTest : public ::testing::Test {
 protected:
  static account::AccountBook Accounts() {
    account::Account account;
    account.channel = mesh::bus::v1::CHANNEL_WHATSAPP;
    account.account_id = "100";
    account.access_token = crypto::Secret("token-w");
    return account::AccountBook({account});
  }
  static http::Request RequestOf(const std::string& path, const std::string& token) {
    http::Request request;
    request.path = path;
    request.headers = {{"host", "127.0.0.1:8090"}};
    if (!token.empty()) request.headers.emplace_back("authorization", "Bearer " + token);
    return request;
  }
  http::Response Describe(const std::string& id, const std::string& token = "token-w") {
    return media_.Describe(RequestOf("/v25.0/" + id, token), accounts_);
  }
  std::string UrlPathOf(const std::string& id) {
    const auto document = json::Document::Parse(Describe(id).body);
    const std::string url(document.ok() ? document->root().Find("url").AsString().value_or("") : "");
    const std::string host = "http://127.0.0.1:8090";
    EXPECT_TRUE(url.starts_with(host)) << url;
    return url.substr(std::min(host.size(), url.size()));
  }
  http::Response File(const std::string& path, const std::string& token = "token-w") {
    return media_.File(RequestOf(path, token), accounts_, &delay_ms_);
  }

  const account::AccountBook accounts_ = Accounts();
  Media media_;
  std::int64_t delay_ms_ = 0;
};

TEST_F(MediaTest, AnIdHasAUrlAndTheUrlAFileBothForItsTokenAlone) {
  EXPECT_EQ(Describe("media-png", "").status, 401);
  EXPECT_EQ(Describe("media-png", "token-x").status, 401);
  const std::string path = UrlPathOf("media-png-1");
  EXPECT_EQ(File(path, "").status, 401);
  EXPECT_EQ(File(path).status, 200);
  EXPECT_EQ(File("/cdn/media-png-1", "").body, File(path).body) << "Messenger's URLs want no token";
}

TEST_F(MediaTest, OnlyTheFirstUrlOfAnExpiredOneIsGone) {
  const std::string first = UrlPathOf("media-expired-1");
  const std::string second = UrlPathOf("media-expired-1");
  EXPECT_NE(first, second);
  EXPECT_EQ(File(first).status, 404);
  EXPECT_EQ(File(second).status, 200);
}

TEST_F(MediaTest, WhatIsUnknownIsAGraphError) {
  EXPECT_EQ(Describe("media-nothing").status, 400);
  for (const char* path : {"/cdn/", "/cdn/x", "/cdn/media-", "/lookaside/media-png", "/lookaside/media-png/x"}) {
    EXPECT_EQ(File(path).status, 404) << path;
  }
}

TEST_F(MediaTest, ASlowOneIsSlow) {
  EXPECT_EQ(File("/cdn/media-slow").status, 200);
  EXPECT_EQ(delay_ms_, Media::kSlowMs);
}

}  // namespace
}  // namespace fake_channel_api
