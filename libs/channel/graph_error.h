#pragma once

#include <cstdint>

namespace channel {

// What an error of the Graph API is about (channels.md 3.2; docs/meta-app.md says what each code means).
enum class GraphErrorClass {
  kToken,       // dead: nothing works until somebody logs in again
  kTemporary,   // something failed at Meta
  kRate,        // too many calls or messages
  kBlocked,     // the account as a whole: quality, violation, payment, registration
  kPermission,  // the token is alive and may not do this
  kWindow,      // the user's last message is more than 24 hours old
  kUnknownId,   // no such id or parameter, for this token
  kRecipient,   // this one user cannot be reached, or not with this
  kContent,     // the message, its file or its template
  kUnknown,     // no code that is known here, or none at all
};

// `subcode`: `error.error_subcode`; 0: none, or it was not asked for.
GraphErrorClass ClassOfGraphError(std::int64_t code, std::int64_t subcode = 0);

}  // namespace channel
