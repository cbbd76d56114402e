#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/bus/options.h"

namespace bus {

// The seven topics of design.md, "Topics". Names without the prefix.
inline constexpr std::string_view kTurns = "turns";
inline constexpr std::string_view kReplies = "replies";
inline constexpr std::string_view kStatuses = "statuses";
inline constexpr std::string_view kSendLedger = "send-ledger";
inline constexpr std::string_view kParked = "parked";
inline constexpr std::string_view kDeadLetter = "dead-letter";
inline constexpr std::string_view kAudit = "audit";

std::string TopicName(const BusOptions& options, std::string_view topic);

// Creates what is missing and checks what is there: partition counts of the conversation topics must be equal, cleanup
// policy, max.message.bytes and message.timestamp.type as stated, and min.insync.replicas at least 2 where a topic has
// three copies or more.
// Each service calls it at start; a difference is a FailedPrecondition that names topic, setting, found and wanted.
// Unavailable when no broker answers before the deadline.
// On success returns the number of partitions of the conversation topics.
absl::StatusOr<std::int32_t> EnsureTopics(const BusOptions& options, base::MonotonicTime deadline);

}  // namespace bus
