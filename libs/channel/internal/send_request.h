#pragma once

#include <string>
#include <string_view>

#include "libs/account/account.h"
#include "libs/channel/codec.h"

namespace channel {

// POST {graph_base_url}/{graph_version}/{account_id}/messages with the account's token (channels.md 3.1).
//
// Instagram's sends go to `me`, whom the token names: with Instagram Login (graph.instagram.com, the account's own
// token) that is the account; with Facebook Login (graph.facebook.com, the page's token) the page, while the account id
// is that of the Instagram account in webhooks, to which nothing can be posted there.
OutboundRequest MakeSendRequest(const account::Account& account, std::string body);

}  // namespace channel
