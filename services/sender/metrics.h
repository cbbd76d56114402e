#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "libs/telemetry/metrics.h"

namespace sender {

// Everything the sender exports besides its libraries' own metrics; golden list: tests/golden/metrics/sender.txt.
struct Metrics {
  explicit Metrics(telemetry::Registry& registry);

  static constexpr std::string_view kChannels[] = {"whatsapp", "messenger", "instagram", "other"};
  // What one POST came to. not_sent: certainly nothing left (connect failed, lease ran out before the first byte).
  static constexpr std::string_view kSendOutcomes[] = {"sent", "retry", "parked", "failed", "in_doubt", "not_sent"};
  // What ended a doubt. evidence: a status, or a late record of the claim's writer, said what had happened.
  static constexpr std::string_view kDoubtResolutions[] = {"evidence", "resend", "park"};
  // What became of a record of `replies` that was not sent.
  static constexpr std::string_view kDropReasons[] = {"duplicate", "superseded", "no_channel"};
  static constexpr std::string_view kParkReasons[] = {"account", "in_doubt"};
  static constexpr std::string_view kStatusResults[] = {"evidence", "repeated", "nothing_named", "dead_letter"};
  static constexpr std::string_view kLedgerRefusals[] = {"undecodable", "unknown_schema", "key_mismatch"};
  static constexpr std::string_view kOutcomeReports[] = {"done", "given_up"};

  void CountSend(std::string_view channel, std::string_view outcome) const;
  void CountDoubt(std::string_view resolution) const { doubts.at(std::string(resolution)).Increment(); }
  void CountDrop(std::string_view reason) const { drops.at(std::string(reason)).Increment(); }
  void CountStatus(std::string_view result) const { statuses.at(std::string(result)).Increment(); }
  void CountLedgerRefusal(std::string_view reason) const { ledger_refusals.at(std::string(reason)).Increment(); }
  void CountOutcomeReport(std::string_view result) const { outcome_reports.at(std::string(result)).Increment(); }
  void CountParked(std::string_view reason) const { parked_replies.at(std::string(reason)).Increment(); }
  void CountDeadLetter(std::string_view reason) const;
  void ObserveSend(std::string_view channel, double seconds) const;

  std::map<std::pair<std::string, std::string>, telemetry::Counter> sends;  // sender_sends_total{channel,outcome}
  std::map<std::string, telemetry::Histogram> send_seconds;                 // sender_send_seconds{channel}
  std::map<std::string, telemetry::Counter> doubts;                         // sender_in_doubt_total{resolution}
  std::map<std::string, telemetry::Counter> dead_letters;                   // sender_dead_letters_total{reason}
  std::map<std::string, telemetry::Counter> drops;                          // sender_dropped_total{reason}
  std::map<std::string, telemetry::Counter> statuses;                       // sender_statuses_total{result}
  std::map<std::string, telemetry::Counter> outcome_reports;                // sender_outcome_reports_total{result}
  std::map<std::string, telemetry::Counter> ledger_refusals;                // sender_ledger_refused_total{reason}
  std::map<std::string, telemetry::Counter> parked_replies;                 // sender_parked_replies_total{reason}
  telemetry::Gauge in_doubt;
  telemetry::Gauge parked_accounts;
  telemetry::Gauge lanes;
  telemetry::Counter throttled;
  telemetry::Gauge parked_waiting;
  telemetry::Counter returned_replies;
  telemetry::Counter takeovers;
  telemetry::Counter fenced;
  telemetry::Counter ledger_append_failures;
  telemetry::Histogram rate_limit_wait_seconds;
  telemetry::Histogram ledger_read_seconds;
  telemetry::Histogram read_back_seconds;
};

}  // namespace sender
