#include "services/sender/in_doubt.h"

namespace sender {

namespace {
constexpr std::uint32_t kResendsMax = 1;
}  // namespace

DoubtStep DecideDoubt(base::Duration waited, base::Duration reconcile, std::string_view policy, std::uint32_t resends) {
  if (waited < reconcile) return DoubtStep::kWait;
  if (policy == "resend" && resends < kResendsMax) return DoubtStep::kResend;
  return DoubtStep::kPark;
}

}  // namespace sender
