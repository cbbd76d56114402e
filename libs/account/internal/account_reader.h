#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "libs/account/account_book.h"

namespace account::internal {

// What one reading of accounts.yaml came to.
struct ReadResult {
  absl::Status status;
  std::shared_ptr<const AccountBook> book;  // nullptr unless status is OK
  std::vector<std::string> files;           // the file itself and every secret file it names, also after mistakes
};

ReadResult ReadAccounts(const std::string& path);

}  // namespace account::internal
