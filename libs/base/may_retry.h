#pragma once

#include "absl/status/status.h"

namespace base {

// Whether the same call may succeed later, which every absl::Status here says by its code (CONTRIBUTING.md, Errors):
// the other side is away or gave up, took too long, has no room now, or another's change came in between. All else says
// the same again, whoever asks how often. For calls that may be made twice; a bound is the caller's.
inline bool MayRetry(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
      return true;
    default:
      return false;
  }
}

}  // namespace base
