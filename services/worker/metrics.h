#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "libs/bus/dead_letter.h"
#include "libs/telemetry/metrics.h"
#include "proto/bus/v1/bus.pb.h"
#include "services/worker/engine_metrics.h"

namespace worker {

// Everything the worker exports besides its libraries' own metrics; golden list: tests/golden/metrics/worker.txt.
struct Metrics {
  explicit Metrics(telemetry::Registry& registry);

  // How a turn ended; the label's whole vocabulary.
  static constexpr std::string_view kOutcomes[] = {
      "answered", "already_done", "event",   "dead_letter", "superseded", "merged",     "overflow",
      "shed",     "unsent",       "handoff", "opted_out",   "country",    "unreadable", "abandoned"};
  // Who a step waits for when it retries.
  static constexpr std::string_view kPeers[] = {"session", "broker", "engine", "child"};
  // What became of a call that shows a user that the message was read or is being answered; the last four were not
  // made.
  static constexpr std::string_view kPresenceOutcomes[] = {"sent",      "refused",       "no_answer", "answered_before",
                                                           "over_rate", "in_flight_max", "paused"};

  void CountTurn(std::string_view outcome) const { turns.at(std::string(outcome)).Increment(); }
  void CountDeadLetter(bus::DeadLetterReason reason) const {
    dead_letters.at(std::string(bus::ToString(reason))).Increment();
  }
  void CountPresence(mesh::bus::v1::Channel channel, std::string_view outcome) const {
    presence.at({channel, std::string(outcome)}).Increment();
  }
  void CountRetry(std::string_view peer) const { retries.at(std::string(peer)).Increment(); }

  std::map<std::string, telemetry::Counter> turns;         // worker_turns_total{outcome}
  std::map<std::string, telemetry::Counter> dead_letters;  // worker_dead_letters_total{reason}
  std::map<std::string, telemetry::Counter> retries;       // worker_retries_total{peer}
  // worker_presence_total{channel,outcome}, of the channels that have a codec
  std::map<std::pair<mesh::bus::v1::Channel, std::string>, telemetry::Counter> presence;
  telemetry::Counter child_deaths;
  telemetry::Histogram turn_seconds;   // read from the log to done
  telemetry::Histogram queue_seconds;  // read from the log to started
  telemetry::Histogram ttft_seconds;   // started in the engine to first token
  telemetry::Counter prompt_tokens;
  telemetry::Counter completion_tokens;
  telemetry::Gauge lanes_waiting;
  telemetry::Gauge lanes_running;
  EngineMetrics engine;
};

}  // namespace worker
