#pragma once

#include "libs/account/account.h"

namespace account {

// By which of its two ways an Instagram account is reached. They differ in host, token, ids and permissions
// (docs/meta-app.md); the one place that tells them apart. No other channel has either.
//
// `login` of the account says which; where it says nothing, Instagram Login is what has graph.instagram.com as the host
// of its graph_base_url. A proxy in front of that host hides it: such an account must say `login`.
bool IsInstagramLogin(const Account& account);   // by itself: the token is the account's
bool IsInstagramByPage(const Account& account);  // by Facebook Login: the token is that of the page behind it

}  // namespace account
