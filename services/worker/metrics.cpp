#include "services/worker/metrics.h"

#include "libs/identity/identity.h"

namespace worker {

Metrics::Metrics(telemetry::Registry& registry)
    : child_deaths(registry.AddCounter("worker_child_deaths_total",
                                       "Sacrificial children that died of the turn they ran alone.")),
      turn_seconds(
          registry.AddHistogram("worker_turn_seconds", "From reading a turn to its end.", telemetry::LatencyBuckets())),
      queue_seconds(registry.AddHistogram("worker_queue_seconds", "From reading a turn to its start.",
                                          telemetry::LatencyBuckets())),
      ttft_seconds(registry.AddHistogram("worker_ttft_seconds", "From submitting a sequence to its first token.",
                                         telemetry::LatencyBuckets())),
      prompt_tokens(registry.AddCounter("worker_prompt_tokens_total", "Prompt tokens of answered turns.")),
      completion_tokens(registry.AddCounter("worker_completion_tokens_total", "Generated tokens of answered turns.")),
      lanes_waiting(registry.AddGauge("worker_turns_waiting", "Turns in the window that have not started.")),
      lanes_running(registry.AddGauge("worker_turns_running", "Turns between start and end.")),
      engine(registry) {
  for (const std::string_view outcome : kOutcomes) {
    turns.emplace(outcome, registry.AddCounter("worker_turns_total", "Turns by how they ended.",
                                               {{"outcome", std::string(outcome)}}));
  }
  for (const bus::DeadLetterReason reason : bus::kDeadLetterReasons) {
    const std::string name(bus::ToString(reason));
    dead_letters.emplace(
        name, registry.AddCounter("worker_dead_letters_total", "Turns given up, by reason.", {{"reason", name}}));
  }
  for (const auto channel :
       {mesh::bus::v1::CHANNEL_WHATSAPP, mesh::bus::v1::CHANNEL_MESSENGER, mesh::bus::v1::CHANNEL_INSTAGRAM}) {
    for (const std::string_view outcome : kPresenceOutcomes) {
      presence.emplace(
          std::pair(channel, std::string(outcome)),
          registry.AddCounter(
              "worker_presence_total", "Calls that show a user that a message was read or is being answered.",
              {{"channel", std::string(identity::ChannelName(channel))}, {"outcome", std::string(outcome)}}));
    }
  }
  for (const std::string_view peer : kPeers) {
    retries.emplace(peer, registry.AddCounter("worker_retries_total", "Steps repeated because a peer was away.",
                                              {{"peer", std::string(peer)}}));
  }
}

}  // namespace worker
