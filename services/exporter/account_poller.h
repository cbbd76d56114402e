#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "libs/account/account_book.h"
#include "libs/base/clock.h"
#include "libs/graph/question.h"
#include "services/exporter/account_metrics.h"
#include "services/exporter/call_budget.h"

namespace exporter {

// Asks the Graph API about every Meta account: is its token alive and until when, what are its quality, limit and state
// (WhatsApp), is our app subscribed to its webhooks; and subscribes the app again where it is not and the account
// allows that (subscription_repair).
//
// One call at a time. Three calls an account and round, within the budget of its WABA or page (CallBudget): what it
// does not allow waits for a later round; development accounts, whose Graph API is a stand-in, have no budget. A Graph
// API that does not answer is asked once a round, whatever accounts it has. A repair is tried once an hour and WABA or
// page, which a restart forgets.
//
// Threading: one thread at a time. Blocks for at most 10 s a call.
class AccountPoller {
 public:
  // Below telemetry::Registry::kLabelSetsMax, with room for accounts that came and went.
  static constexpr std::size_t kAccountsMax = 200;
  static constexpr base::Duration kRepairInterval = std::chrono::hours(1);

  struct Environment {
    graph::SendAndWait send;
    // Between two accounts; false: stop, the round ends.
    std::function<bool()> pause;
    const base::Clock* clock = nullptr;
    AccountMetrics* metrics = nullptr;
  };
  explicit AccountPoller(Environment environment) : environment_(std::move(environment)) {}

  // Each account of the book once, kAccountsMax at most, in file order; figures of those that left it are forgotten.
  void Round(const account::AccountBook& book);

 private:
  struct Known {
    account::Account account;  // as it was polled last, for its labels
    std::string app_id;        // of the token; empty: Meta does not say
    std::size_t question = 0;  // of graph::AskForAccount: the widest that was answered
  };
  // Of whose subscription it is, or of the account where there is none.
  struct Node {
    CallBudget budget;
    std::optional<base::MonotonicTime> repaired_at;
  };
  using Key = std::pair<int, std::string>;  // channel, account id

  // The parts of one poll; each gives false when the rest would be in vain, and notes the first failure.
  class Poll;

  void ForgetAllBut(const std::set<Key>& present);

  const Environment environment_;
  std::map<Key, Known> known_;
  std::map<std::string, Node> nodes_;  // made anew with what was forgotten: bounded by the accounts file
};

}  // namespace exporter
