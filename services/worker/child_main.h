#pragma once

#include "services/worker/config.h"

namespace worker {

inline constexpr int kExitChildStalled = 75;  // EX_TEMPFAIL of sysexits.h

// The sacrificial child's life: makes a small engine of the worker's options, on the CPU also where the worker has a
// card, says that it is ready, and answers one request after another from the socket kChildSocket until that is
// closed. Gives main's exit code.
//
// What a turn may do to it: crash; use up memory, which is refused beyond half of what the machine or container has,
// and the kernel takes this process first; stand still, which ends it with kExitChildStalled. It ends when its parent
// does.
int RunChild(const Options& options);

// The child's engine in a worker of `options` that may keep so many cores busy: half of them, unless the options say
// how many threads, for the worker goes on answering beside it.
engine::EngineOptions ChildEngineOptions(const Options& options, int usable_cores);

}  // namespace worker
