#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "libs/bus/options.h"
#include "libs/session/client.h"

namespace meshctl {

struct RebuildOptions {
  bus::BusOptions bus;
  std::int64_t from_ms = 0;  // records written at or after this time; 0: all that are kept
  std::int32_t memory_mb = 512;
  std::int32_t calls_max = 256;
  bool progress = true;  // on standard error
};

struct RebuildResult {
  std::int64_t turns = 0;      // told to session, whether or not it knew them
  std::int64_t outcomes = 0;   // likewise
  std::int64_t deletions = 0;  // conversations with one
  std::int64_t links = 0;      // changes of a user's id
  std::int64_t unsent = 0;     // messages that were taken back
  std::int64_t controls = 0;   // handoffs and returns, opt-outs and opt-ins
  std::int64_t refused = 0;    // calls that session will never take
  std::int64_t unjoined = 0;   // replies whose turn did not fit into memory
};

// Brings session's history, outcomes, deletions, unsent messages, changed identities, who answers, and finished turns
// back from the log: `turns`, `replies` and `send-ledger`, partition by partition, to their ends at the time of the
// call.
//
// Every call it makes may be repeated and may come in any order (libs/session/README.md, "The rules"), so it is safe
// beside running services, may be interrupted, and gives the same when it is run again.
// Memory: memory_mb for what is remembered, and what three librdkafka clients fetch ahead.
absl::Status Rebuild(const RebuildOptions& options, session::Client* client, RebuildResult* result);

// "beginning", a time ago ("90m", "36h", "8d") or RFC 3339. nullopt: none of these.
std::optional<std::int64_t> ParseFrom(std::string_view text, std::int64_t now_ms);

}  // namespace meshctl
