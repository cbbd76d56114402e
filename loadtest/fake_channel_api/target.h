#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "libs/account/account_book.h"
#include "libs/http/message.h"
#include "loadtest/fake_channel_api/graph_error.h"

namespace fake_channel_api {

// Which account a request is for: /v{N}/{account id or "me"}/{edge} with its token, as a bearer or as `access_token` of
// the query; `edge` "" is the account itself, /v{N}/{id}. For the edge subscribed_apps a WABA stands for its first
// number that has the token. As Meta does, a wrong token is code 190 and an id that the token may not use, or that does
// not exist, is code 100 subcode 33.
std::variant<const account::Account*, GraphError> FindTarget(const http::Request& request, std::string_view edge,
                                                             const account::AccountBook& accounts);

inline constexpr std::string_view kSubscribedAppsEdge = "subscribed_apps";

// The first account whose token is `token`; nullptr: none's.
const account::Account* FindByToken(std::string_view token, const account::AccountBook& accounts);
std::string TokenOf(const http::Request& request);  // in the header or, as older clients send it, in the query

// Whether a request has the token of any account, and what it is told when not.
bool HasToken(const http::Request& request, const account::AccountBook& accounts);
GraphError UnknownObject(std::string_view id);
GraphError NoToken(std::string_view token = "");

}  // namespace fake_channel_api
