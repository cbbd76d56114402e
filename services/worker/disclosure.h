#pragma once

#include <string>
#include <string_view>

#include "libs/account/account.h"
#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

namespace worker {

// Where the account's policy asks for it (`disclosure_text`), users are told that no person answers: before the first
// thing that is said to them, whatever it is, again when nothing was for `disclosure_gap_h`, and after a person has
// answered. It stands in the reply itself, so the log, the history and the screen agree; the model is shown its past
// answers without it, or it would take it for its own way to speak. Pure.

// `text` as it is said in answer to `turn`. `loaded` is the conversation before it.
std::string WithDisclosure(const account::Account& account, const mesh::bus::v1::Turn& turn,
                           const mesh::session::v1::LoadContextResponse& loaded, std::string text);

// A past reply without the disclosure before it, where it is the account's present one.
std::string_view WithoutDisclosure(const account::Account& account, std::string_view reply_text);

}  // namespace worker
