#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "libs/account/account_book.h"
#include "libs/config/yaml.h"
#include "tests/libs/account/account_folder.h"

// docs/accounts.md is what operators copy from: its example must load, and its table must be complete.
namespace account {
namespace {

class AccountDocsTest : public AccountFolderTest {
 protected:
  AccountDocsTest() {
    std::ifstream file("docs/accounts.md");
    text_.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    const std::string fence = "```yaml\n";
    const std::size_t begin = text_.find(fence) + fence.size();
    example_ = text_.substr(begin, text_.find("```", begin) - begin);
    for (const char* name : {"app_secret", "app_secret_next", "verify_token", "access_token"}) {
      Write(std::string("secrets/") + name, "x");
    }
  }

  std::string text_;
  std::string example_;
};

TEST_F(AccountDocsTest, TheExampleLoads) {
  const auto book = AccountBook::Load(Write("accounts.yaml", example_));
  ASSERT_TRUE(book.ok()) << book.status();
  ASSERT_EQ((*book)->accounts().size(), 2u);
  const Account* const account = (*book)->Find(mesh::bus::v1::CHANNEL_WHATSAPP, "106540352242922");
  ASSERT_NE(account, nullptr);
  EXPECT_EQ(account->app_secrets.size(), 2u);
  EXPECT_EQ(account->top_k, 40);
  EXPECT_EQ(account->system_prompt, "You answer for Acme, a maker of anvils.\nBe brief and friendly.\n");
}

TEST_F(AccountDocsTest, TheExampleShowsExactlyTheKeysOfTheTable) {
  std::set<std::string> in_table;
  for (std::size_t at = text_.find("\n| `"); at != std::string::npos; at = text_.find("\n| `", at + 1)) {
    in_table.insert(text_.substr(at + 4, text_.find('`', at + 4) - at - 4));
  }
  const auto root = config::ParseYaml(example_);
  ASSERT_TRUE(root.ok()) << root.status();
  std::set<std::string> in_example;
  for (const auto& [key, node] : root->Find("accounts")->items[0].fields) in_example.insert(key);
  EXPECT_EQ(in_table, in_example);
  EXPECT_GT(in_table.size(), 20u);
}

}  // namespace
}  // namespace account
