#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace sender {

// What a write to the broker that failed asks for.
enum class WriteFailure {
  kRetry,     // it may heal without us
  kTooLarge,  // this record never will: its origin belongs in the dead letter
};

// `topic` without prefix, `attempt` from 1. Retries that go on for long are logged, ever more rarely.
// Does not return when the broker denies the topic: nothing of this process's work can be kept then, and a dead letter
// for each record would give up what only waits for a right. The process says which, and crashes; its replacement says
// it again, where everybody looks, until the right is given.
// Threading: any thread.
WriteFailure JudgeWrite(std::string_view topic, const absl::Status& status, int attempt);

// For records that there is no other place for: says which limit to raise, and crashes.
[[noreturn]] void CrashAsTooLarge(std::string_view topic, const absl::Status& status);

}  // namespace sender
