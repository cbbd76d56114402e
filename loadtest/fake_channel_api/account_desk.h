#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "libs/account/account_book.h"
#include "libs/http/message.h"
#include "loadtest/fake_channel_api/account_state.h"
#include "loadtest/fake_channel_api/graph_error.h"

namespace fake_channel_api {

// What Meta tells of accounts and takes about them besides sends: the account itself, its token, its webhook
// subscription (channels.md 1.3, 3.3, 4.1). Shares no code with the library that asks (libs/graph).
//
// Threading: safe from any thread.
class AccountDesk {
 public:
  // GET /v{N}/{id}?fields=..., /v{N}/{id}/subscribed_apps, /v{N}/debug_token.
  http::Response Get(const http::Request& request, const account::AccountBook& accounts) const;
  // POST /v{N}/{id}/subscribed_apps. A page's need subscribed_fields, in the query; a WABA's have none.
  http::Response Subscribe(const http::Request& request, const account::AccountBook& accounts);

  // GET and POST /control/accounts/{id}: the state of an account, see AccountState.
  http::Response Control(const http::Request& request, const account::AccountBook& accounts);

  // FindTarget (target.h) of a call whose token is alive; else what the call is told instead of its answer.
  std::variant<const account::Account*, GraphError> FindLiving(const http::Request& request, std::string_view edge,
                                                               const account::AccountBook& accounts) const;

 private:
  std::optional<GraphError> TokenTrouble(const account::Account& account) const;
  http::Response DebugToken(const http::Request& request, const account::AccountBook& accounts) const;

  AccountStates states_;
};

}  // namespace fake_channel_api
