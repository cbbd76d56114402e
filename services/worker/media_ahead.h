#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>

#include "services/worker/turn_lanes.h"
#include "services/worker/turn_run.h"

namespace worker {

// Fetches what turns bring along while they wait in their lanes, because URLs expire and Messenger's and Instagram's
// cannot be asked for anew. The turn finds it there, or on its way, when it runs (TurnTask::media); what is not begun
// by then it fetches itself.
//
// What comes from elsewhere may kill its reader, and here no note says yet which turn it was (attempts.h). So a record
// that was not read soon after it was written, which may have killed readers before, is fetched only once this worker
// has lived on for kProbation with it: by then most turns have begun, and are noted. One that is noted already is left
// to its run.
//
// Bounds:    context.media_ahead_max files on their way, fewer than the pool has threads, so that turns that run always
//            find one; kWaitingMax turns wait for that, in the order in which they were read, and more are left to
//            their runs. While the pool's queue is full, they wait for that too. Of a turn that is over nothing is
//            kept.
// Threading: confined to the loop thread. Lifetime: outlives the loop's tasks.
class MediaAhead {
 public:
  static constexpr std::size_t kWaitingMax = 4096;
  static constexpr base::Duration kProbation = std::chrono::seconds(30);

  explicit MediaAhead(const TurnContext& context, base::Duration probation = kProbation)
      : context_(context), probation_(probation) {}

  // `task` has come into its lane.
  void Add(const std::shared_ptr<TurnTask>& task);
  // Begins nothing more: the worker drains.
  void Stop();

 private:
  struct Waiting {
    std::weak_ptr<TurnTask> task;
    bool has_begun = false;  // some of its files are on their way, or were
  };

  void Queue(const std::shared_ptr<TurnTask>& task);
  void BeginNext();
  bool BeginOneFile(Waiting& turn);  // false: it has no further one that is to be fetched ahead
  std::shared_ptr<TurnMedia> MediaOf(const TurnTask& task) const;  // nullptr: not to be fetched
  void LookAgain();

  const TurnContext context_;
  const base::Duration probation_;
  std::deque<Waiting> waiting_;
  std::size_t files_on_their_way_ = 0;
  bool looks_again_ = false;
  bool stopped_ = false;
};

}  // namespace worker
