#include "services/sender/write_failure.h"

#include <bit>
#include <cstdlib>

#include "libs/telemetry/log.h"

namespace sender {
namespace {

constexpr int kLogFromAttempt = 8;  // about ten seconds in

[[noreturn]] void Crash(std::string_view topic, const absl::Status& status, std::string_view remedy) {
  telemetry::LogError("write_refused_for_good", {{"topic", topic}, {"error", status.ToString()}, {"remedy", remedy}});
  std::abort();
}

}  // namespace

WriteFailure JudgeWrite(std::string_view topic, const absl::Status& status, int attempt) {
  if (absl::IsPermissionDenied(status)) {
    Crash(topic, status,
          "give the user of sasl.username in --kafka-extra-config the WRITE right on this topic, or correct the "
          "credentials there");
  }
  if (absl::IsInvalidArgument(status)) return WriteFailure::kTooLarge;
  if (attempt >= kLogFromAttempt && std::has_single_bit(static_cast<unsigned>(attempt))) {
    telemetry::LogWarning("write_retried", {{"topic", topic}, {"attempt", attempt}, {"error", status.ToString()}});
  }
  return WriteFailure::kRetry;
}

void CrashAsTooLarge(std::string_view topic, const absl::Status& status) {
  Crash(topic, status, "raise max.message.bytes of this topic to the 4 MiB it is created with");
}

}  // namespace sender
