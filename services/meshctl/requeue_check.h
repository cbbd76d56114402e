#pragma once

#include <string>

#include "proto/bus/v1/bus.pb.h"
#include "proto/session/v1/session.pb.h"

namespace meshctl {

// What speaks against saying a reply that was given up after all, in an operator's words; empty: nothing. The user may
// have asked for silence or talk to a person by now, and of a reply of several parts some may have been shown, which a
// new generation would show again. `stored`: the conversation's session. Pure.
std::string ReasonAgainstRequeue(const mesh::bus::v1::Reply& reply,
                                 const mesh::session::v1::GetSessionResponse& stored);

}  // namespace meshctl
