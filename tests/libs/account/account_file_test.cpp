#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "libs/account/account_book.h"
#include "tests/integration/harness/wait.h"
#include "tests/libs/account/account_folder.h"

namespace account {
namespace {

using harness::WaitUntil;

constexpr int kPollMs = 5;

class AccountFileTest : public AccountFolderTest {
 protected:
  void SetUp() override {
    auto file = AccountFile::Open(Write("accounts.yaml", "accounts:\n" + WhatsApp("1")), kPollMs);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
  }
  bool Has(const std::string& id) const {
    return file_->current()->Find(mesh::bus::v1::CHANNEL_WHATSAPP, id) != nullptr;
  }
  std::string AppSecret() const { return std::string(file_->current()->accounts()[0].app_secrets[0].Reveal()); }

  std::unique_ptr<AccountFile> file_;
};

TEST_F(AccountFileTest, RefusesToOpenAFileWithMistakes) {
  EXPECT_FALSE(AccountFile::Open(Write("wrong.yaml", "accounts: 3\n"), kPollMs).ok());
  EXPECT_FALSE(AccountFile::Open(Path("absent.yaml"), kPollMs).ok());
}

TEST_F(AccountFileTest, TakesANewAccountWhileReadersKeepTheOldBook) {
  const auto old_book = file_->current();
  Write("accounts.yaml", "accounts:\n" + WhatsApp("1") + WhatsApp("2"));
  ASSERT_TRUE(WaitUntil([&] { return Has("2"); }));
  EXPECT_EQ(old_book->accounts().size(), 1u);
  EXPECT_EQ(file_->reload_failures(), 0);
}

TEST_F(AccountFileTest, TakesARotatedSecretOfTheSameSize) {
  EXPECT_EQ(AppSecret(), "app-secret");
  Write("secrets/app", "APP-SECRET\n");
  EXPECT_TRUE(WaitUntil([&] { return AppSecret() == "APP-SECRET"; }));
}

TEST_F(AccountFileTest, FollowsAReplacedLinkAsKubernetesMakesThem) {
  Write("data_1", "accounts:\n" + WhatsApp("1"));
  Write("data_2", "accounts:\n" + WhatsApp("9"));
  ASSERT_EQ(symlink(Path("data_1").c_str(), Path("link").c_str()), 0);
  auto file = AccountFile::Open(Path("link"), kPollMs);
  ASSERT_TRUE(file.ok()) << file.status();
  file_ = *std::move(file);
  ASSERT_EQ(symlink(Path("data_2").c_str(), Path("new_link").c_str()), 0);
  ASSERT_EQ(std::rename(Path("new_link").c_str(), Path("link").c_str()), 0);
  EXPECT_TRUE(WaitUntil([&] { return Has("9"); }));
}

TEST_F(AccountFileTest, KeepsTheOldBookWhileTheFileIsWrongAndCountsOnce) {
  Write("accounts.yaml", "accounts:\n" + WhatsApp("1", "temprature: 1"));
  ASSERT_TRUE(WaitUntil([&] { return file_->reload_failures() >= 1; }));
  EXPECT_TRUE(Has("1"));
  // A later good file is taken, so the failure did not end the polling; a bad file is counted once for each change
  // seen.
  Write("accounts.yaml", "accounts:\n" + WhatsApp("3"));
  ASSERT_TRUE(WaitUntil([&] { return Has("3"); }));
  EXPECT_LE(file_->reload_failures(), 3);  // the bad file, and a half-written one on either side of it
}

TEST_F(AccountFileTest, SurvivesAFileThatIsGoneForAWhile) {
  ASSERT_EQ(unlink(Path("secrets/app").c_str()), 0);
  ASSERT_TRUE(WaitUntil([&] { return file_->reload_failures() >= 1; }));
  EXPECT_EQ(AppSecret(), "app-secret");
  Write("secrets/app", "back\n");
  EXPECT_TRUE(WaitUntil([&] { return AppSecret() == "back"; }));
}

// Goal: however the writer and the poll meet, the last state of the file arrives. Method: many rewrites without pause,
// each perhaps read half-written, and at the end the last one must be there.
TEST_F(AccountFileTest, TheLastOfManyFastWritesArrives) {
  for (int i = 0; i < 300; ++i) Write("accounts.yaml", "accounts:\n" + WhatsApp(std::to_string(1000 + i)));
  EXPECT_TRUE(WaitUntil([&] { return Has("1299"); }));
}

}  // namespace
}  // namespace account
