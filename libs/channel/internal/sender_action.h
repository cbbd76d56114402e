#pragma once

#include <string_view>
#include <vector>

#include "libs/account/account.h"
#include "libs/channel/codec.h"

namespace channel {

// Messenger's and Instagram's presence: a request for each `sender_action`, about the thread with the user and not
// about one message (channels.md 3.1).
std::vector<OutboundRequest> MakeSenderActions(const account::Account& account, std::string_view user,
                                               PresenceKind kind);

}  // namespace channel
