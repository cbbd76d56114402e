#include "services/sender/metrics.h"

#include <algorithm>

#include "libs/bus/dead_letter.h"

namespace sender {
namespace {

constexpr bus::DeadLetterReason kReasons[] = {
    bus::DeadLetterReason::kUndecodable,    bus::DeadLetterReason::kUnknownSchema, bus::DeadLetterReason::kKeyMismatch,
    bus::DeadLetterReason::kUnknownAccount, bus::DeadLetterReason::kDeadline,      bus::DeadLetterReason::kSendFailed,
    bus::DeadLetterReason::kTooLarge,       bus::DeadLetterReason::kWindowClosed,
};

// Up to 8 days of ledger are read on assignment, so the buckets reach far beyond a request's.
std::vector<double> ReadBuckets() { return {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300}; }

std::string KnownChannel(std::string_view channel) {
  const bool known =
      std::find(std::begin(Metrics::kChannels), std::end(Metrics::kChannels), channel) != std::end(Metrics::kChannels);
  return std::string(known ? channel : "other");
}

}  // namespace

Metrics::Metrics(telemetry::Registry& registry)
    : in_doubt(registry.AddGauge("sender_in_doubt", "Sends without an answer that wait for evidence.")),
      parked_accounts(registry.AddGauge("sender_parked_accounts",
                                        "Accounts that cannot send; the log's account_parked names what to do.")),
      lanes(registry.AddGauge("sender_lanes", "Conversations with replies in hand.")),
      throttled(registry.AddCounter("sender_throttled_total",
                                    "Times a send was held back, because the Graph API could not keep up.")),
      parked_waiting(registry.AddGauge("sender_parked_replies",
                                       "Replies in the topic `parked` that wait for their account to send again.")),
      returned_replies(registry.AddCounter("sender_returned_replies_total",
                                           "Replies taken back from the topic `parked` and brought to their end.")),
      takeovers(registry.AddCounter("sender_takeovers_total", "TAKEOVER records written.")),
      fenced(registry.AddCounter("sender_fenced_total", "Foreign TAKEOVERs seen on partitions held here.")),
      ledger_append_failures(registry.AddCounter("sender_ledger_append_failures_total",
                                                 "Ledger records the broker did not confirm; each is retried.")),
      rate_limit_wait_seconds(registry.AddHistogram(
          "sender_rate_limit_wait_seconds", "What the rate limits made a send wait.", telemetry::LatencyBuckets())),
      ledger_read_seconds(registry.AddHistogram(
          "sender_ledger_read_seconds", "From assignment of a partition to its ledger read up.", ReadBuckets())),
      read_back_seconds(registry.AddHistogram("sender_read_back_seconds",
                                              "From appending a ledger record to reading it back.",
                                              telemetry::LatencyBuckets())) {
  for (const std::string_view channel : kChannels) {
    for (const std::string_view outcome : kSendOutcomes) {
      sends.emplace(std::pair(std::string(channel), std::string(outcome)),
                    registry.AddCounter("sender_sends_total", "Graph API calls by what they came to.",
                                        {{"channel", std::string(channel)}, {"outcome", std::string(outcome)}}));
    }
    send_seconds.emplace(channel,
                         registry.AddHistogram("sender_send_seconds", "Duration of Graph API calls.",
                                               telemetry::LatencyBuckets(), {{"channel", std::string(channel)}}));
  }
  const auto add_all = [&registry](auto& counters, const auto& values, std::string_view name, std::string_view help,
                                   const std::string& label) {
    for (const std::string_view value : values) {
      counters.emplace(value, registry.AddCounter(name, help, {{label, std::string(value)}}));
    }
  };
  add_all(doubts, kDoubtResolutions, "sender_in_doubt_total", "Sends without an answer by what ended the doubt.",
          "resolution");
  add_all(drops, kDropReasons, "sender_dropped_total", "Reply records that were not to be sent.", "reason");
  add_all(parked_replies, kParkReasons, "sender_parked_replies_total", "Replies moved to the topic `parked`.",
          "reason");
  add_all(statuses, kStatusResults, "sender_statuses_total", "Delivery statuses by what they gave.", "result");
  add_all(outcome_reports, kOutcomeReports, "sender_outcome_reports_total", "Outcomes told to the session service.",
          "result");
  add_all(ledger_refusals, kLedgerRefusals, "sender_ledger_refused_total",
          "Ledger records that are not what their key and type say; they change nothing.", "reason");
  for (const bus::DeadLetterReason reason : kReasons) {
    const std::string name(bus::ToString(reason));
    dead_letters.emplace(name,
                         registry.AddCounter("sender_dead_letters_total", "Records given up.", {{"reason", name}}));
  }
}

void Metrics::CountSend(std::string_view channel, std::string_view outcome) const {
  sends.at({KnownChannel(channel), std::string(outcome)}).Increment();
}

void Metrics::ObserveSend(std::string_view channel, double seconds) const {
  send_seconds.at(KnownChannel(channel)).Observe(seconds);
}

void Metrics::CountDeadLetter(std::string_view reason) const {
  const auto found = dead_letters.find(std::string(reason));
  if (found != dead_letters.end()) found->second.Increment();
}

}  // namespace sender
