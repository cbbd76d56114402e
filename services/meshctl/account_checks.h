#pragma once

#include <string>
#include <vector>

#include "libs/account/account.h"
#include "libs/base/clock.h"
#include "libs/graph/question.h"

namespace meshctl {

// What one check of an account found. `found` and `advice` are for people; secrets never stand in them.
struct Finding {
  // kWarning: it works today, and will not for long or not for all.
  enum class Verdict { kGood, kWarning, kWrong, kNotChecked };
  std::string check;  // secrets, handshake, signature, token, permissions, expiry, number (WhatsApp), subscription
  Verdict verdict = Verdict::kGood;
  std::string found;
  std::string advice = {};  // what to do; empty when good
};

struct CheckOptions {
  std::string gateway_url;
  std::string
      waba;  // WhatsApp Business Account id in place of the account's own; neither: no check of the subscription
  const base::Clock* clock = &base::Clock::Real();  // what is near its end
};

using graph::SendAndWait;

// Looks at a Meta account the way Meta does: secrets of the right shape, the handshake and a signed webhook without
// items at the gateway; at the Graph API the token, what it may do and until when, the number's state and quality, and
// the webhook subscription (channels.md 1.1, 1.2, 3.2, 4.1). Changes nothing anywhere. A check whose precondition is
// missing is kNotChecked and says why.
std::vector<Finding> CheckAccount(const account::Account& account, const CheckOptions& options,
                                  const SendAndWait& send);

}  // namespace meshctl
