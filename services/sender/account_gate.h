#pragma once

#include <map>
#include <string>
#include <utility>

#include "libs/account/account.h"
#include "libs/base/clock.h"
#include "libs/crypto/digest.h"

namespace sender {

// Which accounts cannot send at the moment (dead token, blocked number), as the platform told this process. Their
// replies wait in `parked`, in order; nothing is dropped.
//
// A parked account opens when its access token changes (the account file is reloaded within a second). Because some
// causes end without a new token (a payment, a review), one reply at a time may probe, every `probe_interval`.
// Bound: at most one entry an account that was configured when it was parked.
// Threading: none; confined to the sender's loop.
class AccountGate {
 public:
  explicit AccountGate(base::Duration probe_interval) : probe_interval_(probe_interval) {}

  void Park(const account::Account& account, base::MonotonicTime now);
  void Open(const account::Account& account);  // a send of it was accepted

  // Whether a send may be tried now. Of a parked account one caller is told yes once a probe interval.
  bool MayTry(const account::Account& account, base::MonotonicTime now);
  // It is parked and its token is still the one that was refused.
  bool Closed(const account::Account& account) const;

  std::size_t parked_count() const { return parked_.size(); }

 private:
  using Id = std::pair<int, std::string>;  // channel, account id
  struct Parked {
    crypto::Sha256Digest token_digest;
    base::MonotonicTime next_probe;
  };

  const base::Duration probe_interval_;
  std::map<Id, Parked> parked_;
};

}  // namespace sender
