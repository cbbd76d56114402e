#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "libs/account/account.h"
#include "libs/base/clock.h"
#include "libs/telemetry/metrics.h"

namespace exporter {

// A figure of one account, with the labels channel and account. Its series is there from the first time it is known.
enum class AccountFigure {
  kUp,
  kTokenValid,
  kTokenExpiry,
  kDataAccessExpiry,
  kSubscribed,
  kQuality,
  kMessagingLimit,
  kState,
  kTokenFileAge,
  kLastSuccess,
  kCount,
};

// Why a poll was not a whole one, beside graph::Trouble: the answer is not the account's, or the calls of this hour are
// used up.
inline constexpr std::string_view kAnswerReason = "answer";
inline constexpr std::string_view kBudgetReason = "call_budget";

// What polling the accounts exports; golden list: tests/golden/metrics/exporter.txt.
// Threading: one thread. Bound: a registry holds kLabelSetsMax series a name; the poller takes fewer accounts.
class AccountMetrics {
 public:
  AccountMetrics(telemetry::Registry& registry, base::Duration period);

  void Set(const account::Account& account, AccountFigure figure, double value);
  // The account left the file: series cannot be taken back, and a figure that is no number meets no alert's condition.
  void Forget(const account::Account& account);

  void CountFailure(std::string_view reason) const;
  void CountRepair(const account::Account& account, bool succeeded) const;

  const telemetry::Gauge not_polled;

 private:
  using Key = std::pair<int, std::string>;  // channel, account id

  telemetry::Gauge GaugeOf(const account::Account& account, AccountFigure figure) const;

  telemetry::Registry& registry_;
  std::map<std::string, telemetry::Counter, std::less<>> failures_;  // by reason
  std::map<Key, std::array<bool, static_cast<std::size_t>(AccountFigure::kCount)>> known_;
};

}  // namespace exporter
