#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

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

// The message that the user took back with this event; empty when it is none. WhatsApp: revoke; Messenger and
// Instagram: is_deleted.
std::string_view UnsentMessage(const mesh::bus::v1::Turn& turn);

}  // namespace meshctl
