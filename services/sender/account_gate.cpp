#include "services/sender/account_gate.h"

namespace sender {

void AccountGate::Park(const account::Account& account, base::MonotonicTime now) {
  // The digest, not the token, is kept: all that is asked is whether the token changed.
  parked_[{account.channel, account.account_id}] = {crypto::Sha256(account.access_token.Reveal()),
                                                    now + probe_interval_};
}

void AccountGate::Open(const account::Account& account) {
  if (!parked_.empty()) parked_.erase({account.channel, account.account_id});
}

bool AccountGate::Closed(const account::Account& account) const {
  if (parked_.empty()) return false;
  const auto found = parked_.find({account.channel, account.account_id});
  return found != parked_.end() && crypto::Sha256(account.access_token.Reveal()) == found->second.token_digest;
}

bool AccountGate::MayTry(const account::Account& account, base::MonotonicTime now) {
  if (!Closed(account)) {
    Open(account);  // a new token
    return true;
  }
  const auto found = parked_.find({account.channel, account.account_id});
  if (now < found->second.next_probe) return false;
  found->second.next_probe = now + probe_interval_;
  return true;
}

}  // namespace sender
