#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libs/account/account.h"

namespace loadtest {

struct RequestOptions {
  std::string host;                 // of the Host header
  int count = 0;                    // requests, each with ids of its own
  int users = 1000;                 // that speak in turns
  double statuses_per_message = 0;  // Meta reports sent, delivered and read for each answer: 3
};

// WhatsApp webhooks with one text message, or one status of an earlier answer, as whole HTTP/1.1 requests, signed with
// the account's app secret. Made before the clock runs: Meta's own signing is no cost of ours.
std::vector<std::string> SignedRequests(const account::Account& account, const RequestOptions& options);

}  // namespace loadtest
