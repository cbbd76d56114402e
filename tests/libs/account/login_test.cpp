#include "libs/account/login.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/account/account_book.h"
#include "tests/libs/account/account_folder.h"

namespace account {
namespace {

using testing::HasSubstr;

Account Instagram(const std::string& url, const std::string& login = "") {
  Account account;
  account.channel = mesh::bus::v1::CHANNEL_INSTAGRAM;
  account.graph_base_url = url;
  account.login = login;
  return account;
}

TEST(LoginTest, WithoutAWordTheHostTells) {
  for (const char* url : {"https://graph.instagram.com", "https://Graph.Instagram.com",
                          "https://graph.instagram.com:443", "https://graph.instagram.com/meta"}) {
    EXPECT_TRUE(IsInstagramLogin(Instagram(url))) << url;
    EXPECT_FALSE(IsInstagramByPage(Instagram(url))) << url;
  }
  for (const char* url : {"https://graph.facebook.com", "https://proxy.example/graph.instagram.com",
                          "https://graph.instagram.com.example", "http://127.0.0.1:8090", ""}) {
    EXPECT_FALSE(IsInstagramLogin(Instagram(url))) << url;
    EXPECT_TRUE(IsInstagramByPage(Instagram(url))) << url;
  }
}

TEST(LoginTest, TheWordOfTheAccountsFileCountsMoreThanTheHost) {
  EXPECT_TRUE(IsInstagramLogin(Instagram("https://proxy.example", "instagram")));
  EXPECT_FALSE(IsInstagramByPage(Instagram("https://proxy.example", "instagram")));
  EXPECT_TRUE(IsInstagramByPage(Instagram("https://proxy.example", "facebook")));
}

TEST(LoginTest, OtherChannelsHaveNeither) {
  Account page = Instagram("https://graph.instagram.com");
  page.channel = mesh::bus::v1::CHANNEL_MESSENGER;
  EXPECT_FALSE(IsInstagramLogin(page));
  EXPECT_FALSE(IsInstagramByPage(page));
}

class LoginKeyTest : public AccountFolderTest {
 protected:
  // An Instagram account with further lines.
  absl::StatusOr<std::shared_ptr<const AccountBook>> Load(const std::string& more) {
    std::string yaml = WhatsApp("1", more);
    yaml.replace(yaml.find("whatsapp"), 8, "instagram");
    return AccountBook::Load(Write("accounts.yaml", "accounts:\n" + yaml));
  }
};

TEST_F(LoginKeyTest, InstagramLoginBringsItsHost) {
  const auto book = Load("login: instagram");
  ASSERT_TRUE(book.ok()) << book.status();
  EXPECT_EQ((*book)->accounts()[0].graph_base_url, "https://graph.instagram.com");
  EXPECT_TRUE(IsInstagramLogin((*book)->accounts()[0]));
  const auto proxied = Load("login: instagram\n    graph_base_url: https://proxy.example");
  ASSERT_TRUE(proxied.ok()) << proxied.status();
  EXPECT_EQ((*proxied)->accounts()[0].graph_base_url, "https://proxy.example");
}

TEST_F(LoginKeyTest, AHostThatDoesNotKnowTheTokenIsAMistake) {
  EXPECT_THAT(Load("login: instagram\n    graph_base_url: https://graph.facebook.com").status().message(),
              HasSubstr("graph_base_url: is not that of login instagram"));
  EXPECT_THAT(Load("login: facebook\n    graph_base_url: https://graph.instagram.com").status().message(),
              HasSubstr("graph_base_url: is not that of login facebook"));
  EXPECT_THAT(Load("login: google").status().message(), HasSubstr("login: \"google\" must be instagram | facebook"));
  EXPECT_THAT(
      AccountBook::Load(Write("accounts.yaml", "accounts:\n" + WhatsApp("1", "login: instagram"))).status().message(),
      HasSubstr("login: instagram belongs to channel instagram"));
}

}  // namespace
}  // namespace account
