#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace sim {

// What becomes of one call from a process to a peer.
enum class Fate {
  kDone,            // done and answered
  kNotDone,         // not done, and the caller is told of an error
  kDoneUnanswered,  // done, and the caller is told of an error: the answer was lost
};

// How often what goes wrong in one schedule, as long as its faults last. Chances are per call.
struct FaultRates {
  double call = 0;    // it isn't answered; half of these calls are done all the same
  double crash = 0;   // the caller dies somewhere between before the call and after its answer
  double freeze = 0;  // the caller sleeps through it, for up to a minute
  double graph = 0;   // the platform does something else than accept and answer
  double engine = 0;  // a generation is refused, for now or for good
  double gap = 0;     // a fetch skips a record
  double seek = 0;    // fetching again from a gap fails
  int blows = 0;      // of the kinds in World::Strike
};

// Mistakes that the services do not make, laid into the world between them, so that the suite shows that it would see
// them: each must be caught (mutation_test.cpp). One at a time.
enum class Mistake {
  kNone,
  kSkipReadBack,          // a sender posts without having looked for TAKEOVERs in front of its CLAIM
  kIgnoreTakeover,        // a sender doesn't see TAKEOVERs of others at all
  kIgnoreLease,           // a sender doesn't ask right before the first byte whether it still may send
  kForgetSent,            // a sender that reads the ledger misses what others know to be sent
  kEvidenceDropped,       // a status is marked done and its evidence isn't appended
  kCommitPastUnfinished,  // offsets are committed up to the last record read
  kDoneBeforeReply,       // a worker marks a turn done before its reply is in the log
  kLanesOff,              // a worker runs the turns of one conversation side by side
  kSupersedeIgnored,      // a sender passes over supersede records
  kDedupOff,              // each run of a turn counts as a new one, for the store and for the ledger
  kDropUnaudited,         // what was dropped is not told to audit
};
inline constexpr Mistake kAllMistakes[] = {
    Mistake::kSkipReadBack,    Mistake::kIgnoreTakeover,  Mistake::kIgnoreLease,
    Mistake::kForgetSent,      Mistake::kEvidenceDropped, Mistake::kCommitPastUnfinished,
    Mistake::kDoneBeforeReply, Mistake::kLanesOff,        Mistake::kSupersedeIgnored,
    Mistake::kDedupOff,        Mistake::kDropUnaudited};
std::string_view NameOf(Mistake mistake);

}  // namespace sim
