#include "tests/sim/faults.h"

namespace sim {

std::string_view NameOf(Mistake mistake) {
  switch (mistake) {
    case Mistake::kNone:
      return "none";
    case Mistake::kSkipReadBack:
      return "skip_read_back";
    case Mistake::kIgnoreTakeover:
      return "ignore_takeover";
    case Mistake::kIgnoreLease:
      return "ignore_lease";
    case Mistake::kForgetSent:
      return "forget_sent";
    case Mistake::kEvidenceDropped:
      return "evidence_dropped";
    case Mistake::kCommitPastUnfinished:
      return "commit_past_unfinished";
    case Mistake::kDoneBeforeReply:
      return "done_before_reply";
    case Mistake::kLanesOff:
      return "lanes_off";
    case Mistake::kSupersedeIgnored:
      return "supersede_ignored";
    case Mistake::kDedupOff:
      return "dedup_off";
    case Mistake::kDropUnaudited:
      return "drop_unaudited";
  }
  return "?";
}

}  // namespace sim
