#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "libs/account/account_book.h"
#include "libs/http/client.h"
#include "services/exporter/account_metrics.h"
#include "services/exporter/account_poller.h"

namespace exporter {

// Polls the accounts of a file round after round, on a thread of its own, so that a slow Graph API holds up nothing
// else. Rounds are a period apart, give or take a tenth, and the accounts of a round are spread over its first half:
// after a restart of many installations at once Meta is not asked by all in one second.
//
// Threading: Create and the destructor on one thread. The destructor waits for no answer of the Graph API.
class AccountWatch {
 public:
  // Errors are those of the accounts file.
  static absl::StatusOr<std::unique_ptr<AccountWatch>> Create(const std::string& accounts_file, base::Duration period,
                                                              telemetry::Registry& registry);
  ~AccountWatch();
  AccountWatch(const AccountWatch&) = delete;
  AccountWatch& operator=(const AccountWatch&) = delete;

 private:
  AccountWatch(std::shared_ptr<account::AccountFile> accounts, base::Duration period, telemetry::Registry& registry);

  void Run();
  bool SleepFor(base::Duration duration);  // false: stopping
  http::ClientResult SendUnlessStopping(http::ClientRequest request);

  const std::shared_ptr<account::AccountFile> accounts_;
  const base::Duration period_;
  AccountMetrics metrics_;
  std::unique_ptr<http::Client> client_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // protected by mutex_
  base::Duration gap_{};   // between two accounts of the present round; used by thread_ alone
  std::thread thread_;
};

}  // namespace exporter
