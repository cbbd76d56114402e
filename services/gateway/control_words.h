#pragma once

#include "libs/account/account.h"
#include "libs/channel/event.h"
#include "proto/bus/v1/bus.pb.h"

namespace gateway {

// The change of who answers that a user's message asks for, by the account's word lists: the whole message must be one
// of the words, however it is written (unicode::PlainWords). "How do I stop the alarm?" asks for nothing. A button or
// quick reply counts by its title; a message with something attached does not count. Only what the user wrote is
// looked at, not what stands beside it for the model (the product that it is about). Decided here, once, so that the
// log alone says what a word meant when it was said. Pure.
mesh::bus::v1::ControlAction ControlAskedFor(const channel::Event& event, const account::Account& account);

}  // namespace gateway
