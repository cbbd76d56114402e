#pragma once

#include <string>
#include <vector>

#include "libs/account/account.h"
#include "libs/graph/question.h"

namespace meshctl {

// What one check of an account found. `found` and `advice` are for people; secrets never stand in them.
struct Finding {
  enum class Verdict { kGood, kWrong, kNotChecked };
  std::string check;  // of a bounded set: secrets, handshake, signature, token, subscription
  Verdict verdict = Verdict::kGood;
  std::string found;
  std::string advice = {};  // what to do; empty when good
};

struct CheckOptions {
  std::string gateway_url;
  std::string
      waba;  // WhatsApp Business Account id in place of the account's own; neither: no check of the subscription
};

using graph::SendAndWait;

// Looks at a Meta account the way Meta does: secrets of the right shape, the handshake and a signed webhook without
// items at the gateway, the token and the webhook subscription at the Graph API (channels.md 1.1, 1.2, 3.2). Changes
// nothing anywhere. A check whose precondition is missing is kNotChecked and says why.
std::vector<Finding> CheckAccount(const account::Account& account, const CheckOptions& options,
                                  const SendAndWait& send);

}  // namespace meshctl
