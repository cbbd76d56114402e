#include "services/sender/in_doubt.h"

namespace sender {

namespace {
constexpr std::uint32_t kResendsMax = 1;
}  // namespace

DoubtStep DecideDoubt(base::Duration silent, base::Duration reconcile, std::string_view policy, std::uint32_t resends) {
  if (silent < reconcile) return DoubtStep::kWait;
  if (policy == "resend" && resends < kResendsMax) return DoubtStep::kResend;
  return DoubtStep::kPark;
}

}  // namespace sender
