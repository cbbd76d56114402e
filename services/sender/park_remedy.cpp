#include "services/sender/park_remedy.h"

namespace sender {

std::string_view RemedyFor(channel::GraphErrorClass error_class) {
  if (error_class == channel::GraphErrorClass::kToken) {
    return "write a new token to the account's access_token_file; its replies wait in `parked` and follow in order";
  }
  return "settle with the platform what the error code names; every --park-probe-s one reply is tried, and once it is "
         "taken those in `parked` follow in order";
}

}  // namespace sender
