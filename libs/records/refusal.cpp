#include "libs/records/refusal.h"

namespace records {

bus::DeadLetterReason DeadLetterReasonOf(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kUnknownSchema:
      return bus::DeadLetterReason::kUnknownSchema;
    case RefusalReason::kKeyMismatch:
      return bus::DeadLetterReason::kKeyMismatch;
    case RefusalReason::kUndecodable:
      break;
  }
  return bus::DeadLetterReason::kUndecodable;
}

std::string_view ToString(RefusalReason reason) { return bus::ToString(DeadLetterReasonOf(reason)); }

}  // namespace records
