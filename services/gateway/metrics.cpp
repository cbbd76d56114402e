#include "services/gateway/metrics.h"

#include <algorithm>
#include <array>

#include "libs/channel/account_event.h"
#include "libs/channel/event_json.h"
#include "libs/channel/unusable.h"
#include "libs/identity/identity.h"

namespace gateway {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(WebhookOutcome::kCount)> kOutcomes = {
    "persisted", "nothing_to_keep", "unusable", "not_persisted",  "not_ready",
    "unsigned",  "bad_signature",   "verified", "verify_refused", "verify_malformed"};

constexpr std::string_view kOther = "other";
// Of this service; the codecs have their own (channel::UnusableReasons).
constexpr std::string_view kReasons[] = {"duplicate", "unknown_account", "foreign_signature",
                                         "no_user",   "too_old",         kOther};

}  // namespace

std::string_view ToString(WebhookOutcome outcome) { return kOutcomes[static_cast<std::size_t>(outcome)]; }

ChannelMetrics::ChannelMetrics(std::string_view channel, telemetry::Registry& registry)
    : channel_(channel),
      registry_(&registry),
      ack_seconds_(registry.AddHistogram(
          "gateway_ack_seconds", "From a webhook being read to its answer, the broker's delivery reports included",
          telemetry::LatencyBuckets(), {{"channel", std::string(channel)}})) {
  for (const std::string_view outcome : kOutcomes) {
    webhooks_.push_back(registry.AddCounter("gateway_webhooks_total", "Requests to webhook paths, by how they ended",
                                            {{"channel", std::string(channel)}, {"outcome", std::string(outcome)}}));
  }
  for (int kind = 0; kind < static_cast<int>(channel::EventKind::kCount); ++kind) {
    const std::string_view name = channel::ToString(static_cast<channel::EventKind>(kind));
    events_.push_back(registry.AddCounter("gateway_events_total", "Items of well-signed webhooks, by what they mean",
                                          {{"channel", std::string(channel)}, {"kind", std::string(name)}}));
  }
  const auto add_reason = [&](std::string_view reason) {
    ignored_.emplace(reason,
                     registry.AddCounter("gateway_ignored_total", "Bodies and items that gave no record, by reason",
                                         {{"channel", std::string(channel)}, {"reason", std::string(reason)}}));
  };
  std::ranges::for_each(channel::UnusableReasons(), add_reason);
  std::ranges::for_each(kReasons, add_reason);
  AccountEvents(kOther, kOther);  // the names are there from the start
  Punishments(kOther);
}

// Series are made when their first event comes: accounts times types would be far more than ever happen.
telemetry::Counter ChannelMetrics::AccountEvents(std::string_view account, std::string_view type) const {
  return registry_->AddCounter("gateway_account_events_total",
                               "Items about an account as a whole: quality, limits, bans, templates",
                               {{"channel", channel_}, {"account", std::string(account)}, {"type", std::string(type)}});
}

// A name of its own: where templates and limits of many accounts have taken all label sets, an alert still sees it.
telemetry::Counter ChannelMetrics::Punishments(std::string_view account) const {
  return registry_->AddCounter("gateway_account_punishments_total",
                               "Times that Meta told of a ban, restriction, violation or policy enforcement",
                               {{"channel", channel_}, {"account", std::string(account)}});
}

void ChannelMetrics::CountAccountEvent(std::string_view account, std::string_view type) const {
  AccountEvents(account, type).Increment();
  if (channel::IsPunishment(type)) Punishments(account).Increment();
}

void ChannelMetrics::CountWebhook(WebhookOutcome outcome) const {
  webhooks_[static_cast<std::size_t>(outcome)].Increment();
}

void ChannelMetrics::CountEvent(channel::EventKind kind) const { events_[static_cast<std::size_t>(kind)].Increment(); }

void ChannelMetrics::CountIgnored(std::string_view reason) const {
  const auto found = ignored_.find(reason);
  (found == ignored_.end() ? ignored_.find(kOther) : found)->second.Increment();
}

Metrics::Metrics(const std::vector<mesh::bus::v1::Channel>& channels, telemetry::Registry& registry) {
  for (const auto channel : channels) channels_.try_emplace(channel, identity::ChannelName(channel), registry);
}

}  // namespace gateway
