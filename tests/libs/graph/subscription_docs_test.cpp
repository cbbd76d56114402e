#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <tuple>

#include "libs/graph/permissions.h"
#include "libs/graph/subscription.h"

// docs/meta-app.md tells an integrator which permissions and fields to choose: they must be those that the code lives
// on.
namespace graph {
namespace {

// The words in backticks of the row that begins with `| name |`, in the table that begins with `head`; required ones
// stand in bold.
std::set<std::string> WordsInDocs(const std::string& head, const std::string& name, bool only_required) {
  std::ifstream file("docs/meta-app.md");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const std::size_t section = text.find(head);
  EXPECT_NE(section, std::string::npos) << "the table is gone: " << head;
  const std::size_t begin = text.find("\n| " + name + " |", section);
  EXPECT_NE(begin, std::string::npos) << name;
  const std::string row = text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
  std::set<std::string> fields;
  for (std::size_t at = row.find('`'); at != std::string::npos;) {
    const std::size_t end = row.find('`', at + 1);
    const bool is_required = at >= 2 && row.compare(at - 2, 2, "**") == 0;
    if (!only_required || is_required) fields.insert(row.substr(at + 1, end - at - 1));
    at = row.find('`', end + 1);
  }
  return fields;
}

TEST(SubscriptionDocsTest, TheTableOfTheDocsIsTheOneOfTheCode) {
  for (const auto& [name, channel] : {std::pair("WhatsApp", mesh::bus::v1::CHANNEL_WHATSAPP),
                                      std::pair("Messenger", mesh::bus::v1::CHANNEL_MESSENGER),
                                      std::pair("Instagram", mesh::bus::v1::CHANNEL_INSTAGRAM)}) {
    std::set<std::string> all, required;
    for (const WebhookField& field : WebhookFields(channel)) {
      all.emplace(field.name);
      if (field.is_required) required.emplace(field.name);
    }
    EXPECT_EQ(WordsInDocs("| webhooks of |", name, /*only_required=*/false), all) << name;
    EXPECT_EQ(WordsInDocs("| webhooks of |", name, /*only_required=*/true), required) << name;
  }
}

TEST(SubscriptionDocsTest, SoIsTheTableOfPermissions) {
  account::Account account;
  for (const auto& [name, channel, login] :
       {std::tuple("WhatsApp", mesh::bus::v1::CHANNEL_WHATSAPP, ""),
        std::tuple("Messenger", mesh::bus::v1::CHANNEL_MESSENGER, ""),
        std::tuple("Instagram, by a page", mesh::bus::v1::CHANNEL_INSTAGRAM, "facebook"),
        std::tuple("Instagram, by itself", mesh::bus::v1::CHANNEL_INSTAGRAM, "instagram")}) {
    account.channel = channel;
    account.login = login;
    std::set<std::string> all, required;
    for (const Permission& permission : Permissions(account)) {
      all.emplace(permission.name);
      if (permission.is_required) required.emplace(permission.name);
    }
    EXPECT_FALSE(required.empty()) << name;
    EXPECT_EQ(WordsInDocs("| permissions of |", name, /*only_required=*/false), all) << name;
    EXPECT_EQ(WordsInDocs("| permissions of |", name, /*only_required=*/true), required) << name;
  }
}

}  // namespace
}  // namespace graph
