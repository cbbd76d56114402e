#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "libs/bus/record.h"
#include "proto/bus/v1/bus.pb.h"

namespace meshctl {

inline constexpr std::size_t kTurnIdBytes = 32;

// A record that its readers would have taken; others ended as dead letters, or were refused.
std::optional<mesh::bus::v1::Turn> DecodeTurn(const bus::Record& record);
std::optional<mesh::bus::v1::ReplyRecord> DecodeReply(const bus::Record& record);
std::optional<mesh::bus::v1::LedgerRecord> DecodeLedger(const bus::Record& record);

// The user said something that wants an answer.
bool WantsAnswer(const mesh::bus::v1::Turn& turn);

// The turn that the user took back with this one; nullopt when it is no unsend. Until TURN_KIND_UNSEND was known they
// were written as events of type `revoke` (WhatsApp) and `is_deleted` (Messenger, Instagram): the log may still hold
// some.
std::optional<std::string> UnsentTurnId(const mesh::bus::v1::Turn& turn);

}  // namespace meshctl
