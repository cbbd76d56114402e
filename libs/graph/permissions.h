#pragma once

#include <span>
#include <string>
#include <string_view>

#include "libs/account/account.h"

namespace graph {

// A permission that an account's token must have, and what fails without it.
struct Permission {
  std::string_view name;
  std::string_view without;  // "answers are refused"
  bool is_required = false;  // without it nobody is answered
};

// The one table of them; docs/meta-app.md shows it and a test compares. Empty for channels that are not Meta's.
std::span<const Permission> Permissions(const account::Account& account);

// "pages_messaging, pages_manage_metadata"; empty when there are none.
std::string PermissionNames(const account::Account& account);

}  // namespace graph
