#include "services/sender/refused_record.h"

#include <chrono>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/bus/topics.h"
#include "services/sender/write_failure.h"

namespace sender {
namespace {

constexpr base::Duration kRetryInitial = std::chrono::milliseconds(100);
constexpr base::Duration kRetryMax = std::chrono::seconds(5);

}  // namespace

void WriteRefused(Effects* effects, const Metrics* metrics, RefusedRecord refused, int attempt) {
  if (!refused.is_wanted()) return;
  const bus::DeadLetterReason reason = records::DeadLetterReasonOf(refused.refusal.reason);
  const std::shared_ptr<const bus::Record> record = refused.record;
  effects->WriteDeadLetter(
      *record, reason, refused.refusal.detail, /*attempts=*/1,
      [effects, metrics, reason, refused, attempt](const absl::Status& status) {
        if (status.ok()) {
          metrics->CountDeadLetter(bus::ToString(reason));
          return refused.then();
        }
        if (JudgeWrite(bus::kDeadLetter, status, attempt) == WriteFailure::kTooLarge) {
          CrashAsTooLarge(bus::kDeadLetter, status);
        }
        effects->RunAfter(
            base::BackoffDelay(attempt, kRetryInitial, kRetryMax, static_cast<std::uint64_t>(refused.record->offset)),
            [effects, metrics, refused, attempt] { WriteRefused(effects, metrics, refused, attempt + 1); });
      });
}

}  // namespace sender
