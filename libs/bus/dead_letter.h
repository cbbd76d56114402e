#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libs/bus/producer.h"
#include "libs/bus/record.h"
#include "proto/bus/v1/bus.pb.h"

namespace bus {

// Why a record was given up; the bounded vocabulary of DeadLetter.reason and of the metric label.
enum class DeadLetterReason {
  kUndecodable,     // value is not the protobuf it should be
  kKeyMismatch,     // key differs from the conversation in the value
  kUnknownAccount,  // account is not configured any more
  kDeadline,        // retries used up the turn's time
  kRefused,         // the engine refused the input for good
  kSendFailed,      // Graph API said no for good
  kPoison,          // killed its worker
  kTooLarge,
  kPromptTooLong,  // the message leaves no room for an answer in the model's context
  kEmptyAnswer,    // the model said nothing
  kUnknownSchema,  // written for a newer version than this one: requeue it after the upgrade
  kWindowClosed,   // too long after the user's last message for the platform to take it
};
std::string_view ToString(DeadLetterReason reason);

inline constexpr DeadLetterReason kDeadLetterReasons[] = {
    DeadLetterReason::kUndecodable, DeadLetterReason::kKeyMismatch,   DeadLetterReason::kUnknownAccount,
    DeadLetterReason::kDeadline,    DeadLetterReason::kRefused,       DeadLetterReason::kSendFailed,
    DeadLetterReason::kPoison,      DeadLetterReason::kTooLarge,      DeadLetterReason::kPromptTooLong,
    DeadLetterReason::kEmptyAnswer, DeadLetterReason::kUnknownSchema, DeadLetterReason::kWindowClosed};

// Wraps `origin` whole and writes it; `on_delivery` as in Producer. The caller marks the origin done only after OK, so
// a crash in between writes a copy: its ce_id, the origin's place, is that of the first. A record too large to wrap is
// written with its value cut to 512 KiB and `detail` saying so.
void ProduceDeadLetter(Producer& producer, const BusOptions& bus, const Record& origin, DeadLetterReason reason,
                       std::string_view detail, std::uint32_t attempts, std::string_view service,
                       DeliveryCallback on_delivery);

}  // namespace bus
