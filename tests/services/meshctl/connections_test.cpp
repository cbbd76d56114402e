#include "services/meshctl/connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace meshctl {
namespace {

using ::testing::HasSubstr;

class FindAccountTest : public testing::Test {
 protected:
  FindAccountTest() : folder_(std::filesystem::path(testing::TempDir()) / "find_account_test") {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "secret") << "secret";
    std::filesystem::permissions(folder_ / "secret", std::filesystem::perms::owner_read);
    std::string text = "accounts:\n";
    for (const char* id : {"1001", "1002"}) {
      text += std::string("  - tenant: test\n    channel: whatsapp\n    account_id: \"") + id +
              "\"\n    app_secret_file: secret\n    verify_token_file: secret\n    access_token_file: secret\n";
    }
    std::ofstream(folder_ / "accounts.yaml") << text;
    connections_.accounts = folder_ / "accounts.yaml";
  }
  ~FindAccountTest() override { std::filesystem::remove_all(folder_); }

  std::string ErrorFor(const char* channel, const char* account) const {
    const auto found = FindAccount(connections_, channel, account);
    EXPECT_FALSE(found.ok());
    return std::string(found.status().message());
  }

  const std::filesystem::path folder_;
  Connections connections_;
};

TEST_F(FindAccountTest, ErrorsNameWhatWasAskedForAndWhereItWasLookedFor) {
  const auto found = FindAccount(connections_, "whatsapp", "1002");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->account_id, "1002");
  EXPECT_THAT(ErrorFor("whatsapp", "1003"), HasSubstr("no whatsapp account 1003 in " + connections_.accounts));
  EXPECT_THAT(ErrorFor("messenger", ""), HasSubstr("no messenger account in " + connections_.accounts));
  EXPECT_THAT(ErrorFor("whatsapp", ""), HasSubstr("--account=1001|1002"));
  EXPECT_THAT(ErrorFor("telegraph", ""), HasSubstr("--channel=telegraph"));
}

TEST(WebhookUrlTest, TheGatewaysUrlMayEndInASlash) {
  EXPECT_EQ(WebhookUrl("http://gateway", "whatsapp"), "http://gateway/webhooks/whatsapp");
  EXPECT_EQ(WebhookUrl("http://gateway/", "whatsapp"), "http://gateway/webhooks/whatsapp");
}

TEST_F(FindAccountTest, AnUnknownAccountIsToldWithThoseThatAreKnown) {
  const auto book = account::AccountBook::Load(connections_.accounts);
  ASSERT_TRUE(book.ok()) << book.status();
  const std::string message(NoSuchAccount(**book, connections_.accounts, "999").message());
  EXPECT_THAT(message, HasSubstr("no account 999"));
  EXPECT_THAT(message, HasSubstr("1001 (whatsapp), 1002 (whatsapp)"));
  EXPECT_THAT(std::string(NoSuchAccount(account::AccountBook({}), "accounts.yaml", "999").message()),
              HasSubstr("accounts.yaml has no account of a Meta channel"));
}

TEST_F(FindAccountTest, AFileThatIsNotThereIsToldApartFromOneThatCannotBeRead) {
  connections_.accounts = folder_ / "none.yaml";
  EXPECT_THAT(ErrorFor("whatsapp", ""), HasSubstr("none.yaml: no such file"));
}

}  // namespace
}  // namespace meshctl
