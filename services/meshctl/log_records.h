#pragma once

#include <optional>
#include <string>

#include "proto/bus/v1/bus.pb.h"

namespace meshctl {

// The user said something that wants an answer.
bool WantsAnswer(const mesh::bus::v1::Turn& turn);

// The turn that the user took back with this one; nullopt when it is no unsend. Until TURN_KIND_UNSEND was known they
// were written as events of type `revoke` (WhatsApp) and `is_deleted` (Messenger, Instagram): the log may still hold
// some.
std::optional<std::string> UnsentTurnId(const mesh::bus::v1::Turn& turn);

}  // namespace meshctl
