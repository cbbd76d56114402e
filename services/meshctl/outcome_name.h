#pragma once

#include <string_view>

#include "proto/session/v1/session.pb.h"

namespace meshctl {

inline std::string_view OutcomeName(mesh::session::v1::Outcome outcome) {
  switch (outcome) {
    case mesh::session::v1::OUTCOME_SENT:
      return "sent";
    case mesh::session::v1::OUTCOME_FAILED:
      return "failed";
    case mesh::session::v1::OUTCOME_SUPERSEDED:
      return "superseded";
    case mesh::session::v1::OUTCOME_DELIVERED:
      return "delivered";
    case mesh::session::v1::OUTCOME_READ:
      return "read";
    default:
      return "not known yet";
  }
}

}  // namespace meshctl
