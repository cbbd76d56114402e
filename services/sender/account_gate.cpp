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

bool AccountGate::MayTry(const account::Account& account, base::MonotonicTime now) {
  if (parked_.empty()) return true;
  const auto found = parked_.find({account.channel, account.account_id});
  if (found == parked_.end()) return true;
  if (crypto::Sha256(account.access_token.Reveal()) != found->second.token_digest) {
    parked_.erase(found);
    return true;
  }
  if (now < found->second.next_probe) return false;
  found->second.next_probe = now + probe_interval_;
  return true;
}

}  // namespace sender
