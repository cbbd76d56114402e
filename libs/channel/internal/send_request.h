#pragma once

#include <string>
#include <string_view>

#include "libs/account/account.h"
#include "libs/channel/codec.h"

namespace channel {

// POST {graph_base_url}/{graph_version}/{account_id}/messages with the account's token (channels.md 3.1).
OutboundRequest MakeSendRequest(const account::Account& account, std::string body);

}  // namespace channel
