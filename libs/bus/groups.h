#pragma once

#include <string>
#include <string_view>

#include "libs/base/str_cat.h"

namespace bus {

// Who reads what, as --group of the services is by default. Names without the topic prefix.
inline constexpr std::string_view kWorkerGroup = "worker";  // kTurns
inline constexpr std::string_view kSenderGroup = "sender";  // kReplies

// The group in which senders of `sender_group` read kStatuses.
inline std::string StatusesGroup(std::string_view sender_group) { return base::StrCat(sender_group, "-statuses"); }

}  // namespace bus
