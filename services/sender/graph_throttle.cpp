#include "services/sender/graph_throttle.h"

namespace sender {

absl::Status GraphThrottle::MaySend(const account::Account& account, base::MonotonicTime now) {
  if (Of(account).Admit(now)) return absl::OkStatus();
  return absl::UnavailableError(
      "held back here, because the Graph API takes too few sends of this account (--graph-throttle-k)");
}

void GraphThrottle::OnAnswer(const account::Account& account, const channel::SendAnswer& answer,
                             base::MonotonicTime now) {
  const bool has_no_room =
      answer.verdict == channel::SendVerdict::kInDoubt ||
      (answer.verdict == channel::SendVerdict::kRetry && answer.backoff_scope != channel::BackoffScope::kUser);
  Of(account).OnEnd(now, !has_no_room);
}

void GraphThrottle::OnNoAnswer(const account::Account& account, const http::ClientFailure& failure,
                               base::MonotonicTime now) {
  if (absl::IsDeadlineExceeded(failure.status)) Of(account).OnEnd(now, /*accepted=*/false);
}

base::AdaptiveThrottle& GraphThrottle::Of(const account::Account& account) {
  // Each account its own chance, or all would be held back in step; the same again in a replay.
  return throttles_
      .try_emplace({account.channel, account.account_id}, base::AdaptiveThrottle::Options{.k = k_}, throttles_.size())
      .first->second;
}

}  // namespace sender
