#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace account {

// A folder with secrets/app, secrets/verify and secrets/access, removed afterwards.
class AccountFolderTest : public testing::Test {
 protected:
  AccountFolderTest() {
    char pattern[] = "/tmp/mesh_accounts_XXXXXX";
    folder_ = mkdtemp(pattern);
    std::filesystem::create_directory(folder_ + "/secrets");
    for (const char* name : {"app", "verify", "access"})
      Write(std::string("secrets/") + name, std::string(name) + "-secret\n");
  }
  ~AccountFolderTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Write(const std::string& name, std::string_view text) const {
    std::ofstream(Path(name), std::ios::binary) << text;
    return Path(name);
  }

  // The start of an account that has everything it needs; `more` are further lines of it.
  static std::string WhatsApp(const std::string& id, const std::string& more = "") {
    std::string text = "  - tenant: acme\n    channel: whatsapp\n    account_id: \"" + id +
                       "\"\n    app_secret_file: secrets/app\n    verify_token_file: secrets/verify\n"
                       "    access_token_file: secrets/access\n";
    if (!more.empty()) text += "    " + more + "\n";
    return text;
  }

 private:
  std::string folder_;
};

}  // namespace account
