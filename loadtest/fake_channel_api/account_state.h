#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "libs/account/account.h"

namespace fake_channel_api {

// What Meta knows of an account besides its id: whether its token lives, how it is rated, who gets its webhooks. All is
// well until POST /control/accounts/{id} says otherwise:
//   {"token_expired":true, "token_expires_at":1800000000, "data_access_expires_at":0, "quality_rating":"RED",
//    "status":"RESTRICTED", "messaging_limit_tier":"TIER_250", "subscribed":false, "token_scopes":["pages_messaging"]}
struct AccountState {
  bool token_expired = false;
  std::int64_t token_expires_at = 0;  // seconds since the epoch; 0: never
  std::int64_t data_access_expires_at = 0;
  std::optional<std::vector<std::string>> token_scopes;  // nullopt: all that its channel needs
  std::string quality_rating = "GREEN";
  std::string status = "CONNECTED";
  std::string messaging_limit_tier = "TIER_2K";
  bool subscribed = true;
  std::vector<std::string> subscribed_fields = {"messages", "messaging_postbacks"};  // of a page
  std::int64_t subscriptions = 0;                                                    // how often somebody subscribed
};

// The states of all accounts, by account id; what was never changed is as new. Threading: safe from any thread.
class AccountStates {
 public:
  AccountState Of(const account::Account& account) const;
  // InvalidArgument, with nothing changed, when a key is unknown or of another type.
  absl::Status Apply(const account::Account& account, std::string_view json);
  // POST subscribed_apps: with `fields`, which take the place of those before.
  void Subscribe(const account::Account& account, std::vector<std::string> fields);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, AccountState> states_;  // protected by mutex_; bounded by the accounts file
};

std::string ToJson(const AccountState& state);  // as Apply takes it, and `subscriptions`

}  // namespace fake_channel_api
