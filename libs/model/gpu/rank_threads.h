#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "libs/base/clock.h"

namespace model {

// A thread for each rank of a group of cards, which run the same job side by side.
//
// Threading: Run and End from one thread at a time.
// Trap: a rank whose neighbour has failed may wait for it in a collective for ever. So Run can come back while ranks
// still
//       work, and End may leave threads behind; all that their jobs touch must then stay, this object too.
class RankThreads {
 public:
  using Job = std::function<absl::Status(std::int32_t rank)>;
  enum class Wait {
    kAll,           // until every rank is done
    kFirstFailure,  // or one has failed; then nothing but End may follow
  };

  explicit RankThreads(std::int32_t ranks);
  ~RankThreads();  // REQUIRES: End has returned true
  RankThreads(const RankThreads&) = delete;
  RankThreads& operator=(const RankThreads&) = delete;

  // job(rank) on every rank's thread. The error of the rank that failed first. REQUIRES: no rank is busy.
  absl::Status Run(Job job, Wait wait);

  // Each thread ends with last(rank), once it is done with its job. False: some were still busy after `within`.
  bool End(std::function<void(std::int32_t rank)> last, base::Duration within);

 private:
  void Loop(std::int32_t rank);

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  Job job_;                                   // written while no rank is busy
  std::function<void(std::int32_t)> last_;    // written before ending_
  std::uint64_t jobs_ = 0;                    // protected by mutex_
  std::int32_t busy_ = 0, threads_left_ = 0;  // protected by mutex_
  absl::Status failure_;                      // protected by mutex_; of the job that runs
  bool ending_ = false;                       // protected by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace model
