#pragma once

#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "libs/account/account.h"
#include "libs/base/adaptive_throttle.h"
#include "libs/channel/codec.h"
#include "libs/http/client.h"

namespace sender {

// Spares a Graph API that cannot keep up: while it takes too few of an account's sends, a share of them is held back
// here. By account, because most of its limits are, and because one tenant's trouble must not slow another's sends.
//
// Asked before a CLAIM, so a send that is held back has written nothing, uses up neither tries nor deadline, and waits
// in its place: it cannot be lost for want of room.
// Bound:     an entry an account that has sent.
// Threading: none; confined to the sender's loop.
class GraphThrottle {
 public:
  explicit GraphThrottle(double k) : k_(k) {}  // --graph-throttle-k; at least 1

  // OK: may be sent now. Unavailable: not yet, try again later.
  absl::Status MaySend(const account::Account& account, base::MonotonicTime now);

  // How a send ended, as far as it tells of the API's room: an answer that refuses it for what it is, for this user or
  // for its token was given with room enough; of silence only a timeout tells of none.
  void OnAnswer(const account::Account& account, const channel::SendAnswer& answer, base::MonotonicTime now);
  void OnNoAnswer(const account::Account& account, const http::ClientFailure& failure, base::MonotonicTime now);

 private:
  base::AdaptiveThrottle& Of(const account::Account& account);

  const double k_;
  std::map<std::pair<int, std::string>, base::AdaptiveThrottle> throttles_;  // by channel and account id
};

}  // namespace sender
