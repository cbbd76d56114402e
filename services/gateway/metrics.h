#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libs/channel/event.h"
#include "libs/telemetry/metrics.h"
#include "proto/bus/v1/bus.pb.h"

namespace gateway {

// How a request to a webhook path ended.
enum class WebhookOutcome {
  kPersisted,        // 200 after every delivery report
  kNothingToKeep,    // 200, well signed, but no event gave a record
  kUnusable,         // 200, well signed, but not readable as a whole
  kNotPersisted,     // 503, a delivery report failed
  kNotReady,         // 503, the broker or its topics have not been seen yet
  kUnsigned,         // 401
  kBadSignature,     // 403
  kVerified,         // handshake: 200
  kVerifyRefused,    // handshake: 403
  kVerifyMalformed,  // handshake: 400
  kCount,
};
std::string_view ToString(WebhookOutcome outcome);

// What one channel counts. The reasons of what is ignored come from the codec and from this service; words that are not
// known at the start are counted as "other", so that no input can add a series.
class ChannelMetrics {
 public:
  ChannelMetrics(std::string_view channel, telemetry::Registry& registry);

  void CountWebhook(WebhookOutcome outcome) const;
  void CountEvent(channel::EventKind kind) const;
  void CountIgnored(std::string_view reason) const;
  // `account`: an id of the accounts file, a WABA's too; `type`: one of channel::AccountEventTypes(). What is
  // done against the account counts under its own name too.
  void CountAccountEvent(std::string_view account, std::string_view type) const;
  void ObserveAck(double seconds) const { ack_seconds_.Observe(seconds); }

 private:
  telemetry::Counter AccountEvents(std::string_view account, std::string_view type) const;
  telemetry::Counter Punishments(std::string_view account) const;

  const std::string channel_;
  telemetry::Registry* const registry_;
  std::vector<telemetry::Counter> webhooks_;  // by WebhookOutcome
  std::vector<telemetry::Counter> events_;    // by EventKind
  std::map<std::string, telemetry::Counter, std::less<>> ignored_;
  telemetry::Histogram ack_seconds_;
};

// The gateway's own metrics, beside the gateway_http_* and gateway_bus_* of the libraries.
// Threading: constant after construction.
class Metrics {
 public:
  Metrics(const std::vector<mesh::bus::v1::Channel>& channels, telemetry::Registry& registry);
  const ChannelMetrics& For(mesh::bus::v1::Channel channel) const { return channels_.at(channel); }

 private:
  std::map<mesh::bus::v1::Channel, ChannelMetrics> channels_;
};

}  // namespace gateway
