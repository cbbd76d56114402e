#include "services/exporter/account_metrics.h"

#include <limits>

#include "libs/graph/question.h"
#include "libs/identity/identity.h"

namespace exporter {
namespace {

struct FigureSpec {
  std::string_view name;
  std::string_view help;
};

// In the order of AccountFigure.
constexpr std::array<FigureSpec, static_cast<std::size_t>(AccountFigure::kCount)> kFigures = {{
    {"exporter_account_up", "1 when the last poll of the account got every answer."},
    {"exporter_account_token_valid", "1 while the Graph API accepts the access token."},
    {"exporter_account_token_expiry_timestamp_seconds", "When the access token ends; +Inf: never."},
    {"exporter_account_data_access_expiry_timestamp_seconds", "When the token stops reading user data; +Inf: never."},
    {"exporter_account_subscribed", "1 while our app is subscribed to the account's webhooks, with what it needs."},
    {"exporter_account_quality", "How users rate what the number sends: 0 unknown, 1 green, 2 yellow, 3 red."},
    {"exporter_account_messaging_limit_users", "Users that may be written to first in a day; +Inf: no limit."},
    {"exporter_account_state",
     "Of the number: 0 unknown, 1 connected, 2 flagged, 3 rate limited, 4 restricted, 5 disconnected, 6 banned."},
    {"exporter_account_token_file_age_seconds",
     "Instagram Login: since access_token_file was written; its token lives 60 days."},
    {"exporter_account_last_success_timestamp_seconds",
     "When a poll last got every answer; before the first one when the account was first seen."},
}};

telemetry::Labels LabelsOf(const account::Account& account) {
  return {{"channel", std::string(identity::ChannelName(account.channel))}, {"account", account.account_id}};
}

}  // namespace

AccountMetrics::AccountMetrics(telemetry::Registry& registry, base::Duration period)
    : not_polled(registry.AddGauge("exporter_accounts_not_polled", "Accounts of the file beyond what is polled.")),
      registry_(registry) {
  registry
      .AddGauge("exporter_account_poll_interval_seconds", "Time between two polls of an account; 0: none is polled.")
      .Set(base::ToSeconds(period));
  const auto add = [&](std::string_view reason) {
    failures_.emplace(reason, registry.AddCounter("exporter_account_poll_failures_total",
                                                  "Polls of an account that lack an answer, by the first reason.",
                                                  {{"reason", std::string(reason)}}));
  };
  for (int trouble = 0; trouble < static_cast<int>(graph::Trouble::kCount); ++trouble) {
    add(graph::ToString(static_cast<graph::Trouble>(trouble)));
  }
  add(kAnswerReason);
  add(kBudgetReason);
}

telemetry::Gauge AccountMetrics::GaugeOf(const account::Account& account, AccountFigure figure) const {
  const FigureSpec& spec = kFigures[static_cast<std::size_t>(figure)];
  return registry_.AddGauge(spec.name, spec.help, LabelsOf(account));
}

void AccountMetrics::Set(const account::Account& account, AccountFigure figure, double value) {
  known_[{account.channel, account.account_id}][static_cast<std::size_t>(figure)] = true;
  GaugeOf(account, figure).Set(value);
}

void AccountMetrics::Forget(const account::Account& account) {
  const auto known = known_.find({account.channel, account.account_id});
  if (known == known_.end()) return;
  for (std::size_t figure = 0; figure < known->second.size(); ++figure) {
    if (!known->second[figure]) continue;
    GaugeOf(account, static_cast<AccountFigure>(figure)).Set(std::numeric_limits<double>::quiet_NaN());
  }
  known_.erase(known);
}

void AccountMetrics::CountFailure(std::string_view reason) const { failures_.find(reason)->second.Increment(); }

void AccountMetrics::CountRepair(const account::Account& account, bool succeeded) const {
  const telemetry::Labels labels = LabelsOf(account);
  const telemetry::Counter repairs = registry_.AddCounter("exporter_account_subscription_repairs_total",
                                                          "Times our app was subscribed to the account again.", labels);
  const telemetry::Counter failures =
      registry_.AddCounter("exporter_account_subscription_repair_failures_total",
                           "Times that was tried and Meta refused, or said afterwards that it is not so.", labels);
  (succeeded ? repairs : failures).Increment();
}

}  // namespace exporter
