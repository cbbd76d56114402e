#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/account/account.h"

namespace account {

// An immutable set of accounts, indexed by (channel, account id). Shared by readers while a newer one replaces it.
class AccountBook {
 public:
  // Parses accounts.yaml and the secret files it names (relative to the file). Every mistake of the file is listed in
  // one InvalidArgument, with line numbers; unknown keys are mistakes.
  static absl::StatusOr<std::shared_ptr<const AccountBook>> Load(const std::string& path);

  // nullptr when not configured.
  const Account* Find(mesh::bus::v1::Channel channel, std::string_view account_id) const;
  const std::vector<Account>& accounts() const { return accounts_; }

 private:
  std::vector<Account> accounts_;
};

// Keeps the newest readable AccountBook of a file: polls its modification time and those of its secret files every
// `poll_interval`; a file that does not parse is reported (log, `accounts_reload_failures_total`) and the old book stays.
// Threading: current() is safe from any thread. One thread of its own, joined by the destructor.
class AccountFile {
 public:
  static absl::StatusOr<std::unique_ptr<AccountFile>> Open(const std::string& path, int poll_interval_ms = 1000);
  virtual ~AccountFile() = default;

  virtual std::shared_ptr<const AccountBook> current() const = 0;
  virtual std::int64_t reload_failures() const = 0;
};

}  // namespace account
