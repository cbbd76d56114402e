#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/account/account.h"

namespace account {

// An immutable set of accounts, indexed by (channel, account id). Shared by readers while a newer one replaces it.
class AccountBook {
 public:
  // REQUIRES: no two accounts with the same channel and account id. Load() is the way in from a file.
  explicit AccountBook(std::vector<Account> accounts);

  // Parses accounts.yaml and the secret files it names (relative to the file). Every mistake of the file is listed in
  // one InvalidArgument, a line each, with line numbers; unknown keys are mistakes. NotFound when there is no such
  // file.
  static absl::StatusOr<std::shared_ptr<const AccountBook>> Load(const std::string& path);

  // nullptr when not configured.
  const Account* Find(mesh::bus::v1::Channel channel, std::string_view account_id) const;
  // The account in whose name a conversation goes on. nullptr also when its number or page is another tenant's by now:
  // what was said in the one's name is not the other's to answer or to send.
  const Account* FindFor(const mesh::bus::v1::ConversationId& conversation) const;
  // The numbers of a WhatsApp Business Account, in file order; empty when no account names it.
  std::vector<const Account*> FindByWaba(std::string_view waba_id) const;
  const std::vector<Account>& accounts() const { return accounts_; }  // in file order

 private:
  const std::vector<Account> accounts_;
  std::vector<std::uint32_t> by_key_;   // indices of accounts_, sorted by (channel, account id)
  std::vector<std::uint32_t> by_waba_;  // those with a WABA, sorted by (it, place in the file)
};

// Keeps the newest readable AccountBook of a file: polls the file and its secret files every `poll_interval_ms`; when
// they do not parse, that is logged and counted and the old book stays.
//
// Traps:     a book is immutable, so hold the shared_ptr for as long as an Account of it is used; and take a new one
//            for each turn, not once at start, or rotated secrets never arrive.
// Threading: current() and reload_failures() are safe from any thread and wait for no I/O. One thread of its own,
//            joined by the destructor.
class AccountFile {
 public:
  static absl::StatusOr<std::unique_ptr<AccountFile>> Open(const std::string& path, int poll_interval_ms = 1000);
  virtual ~AccountFile() = default;

  virtual std::shared_ptr<const AccountBook> current() const = 0;
  virtual std::int64_t reload_failures() const = 0;  // exported by ExportReloadFailures
};

}  // namespace account
