#include "libs/model/gpu/rank_threads.h"

#include <utility>

#include "libs/base/check.h"

namespace model {

RankThreads::RankThreads(std::int32_t ranks) : threads_left_(ranks) {
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    threads_.emplace_back([this, rank] { Loop(rank); });
  }
}

RankThreads::~RankThreads() {
  CHECK(ending_ && threads_left_ == 0);
  for (std::thread& thread : threads_) thread.join();
}

absl::Status RankThreads::Run(Job job, Wait wait) {
  std::unique_lock lock(mutex_);
  CHECK(busy_ == 0 && !ending_);
  job_ = std::move(job);
  busy_ = static_cast<std::int32_t>(threads_.size());
  failure_ = absl::OkStatus();
  ++jobs_;
  wake_.notify_all();
  done_.wait(lock, [&] { return busy_ == 0 || (wait == Wait::kFirstFailure && !failure_.ok()); });
  return failure_;
}

bool RankThreads::End(std::function<void(std::int32_t rank)> last, base::Duration within) {
  std::unique_lock lock(mutex_);
  last_ = std::move(last);
  ending_ = true;
  wake_.notify_all();
  return done_.wait_for(lock, within, [&] { return threads_left_ == 0; });
}

void RankThreads::Loop(std::int32_t rank) {
  std::unique_lock lock(mutex_);
  for (std::uint64_t job = 1;; ++job) {
    wake_.wait(lock, [&] { return jobs_ == job || ending_; });
    if (jobs_ != job) break;
    lock.unlock();
    absl::Status status = job_(rank);
    lock.lock();
    if (failure_.ok() && !status.ok()) failure_ = std::move(status);
    --busy_;
    done_.notify_one();
  }
  lock.unlock();
  last_(rank);
  lock.lock();
  --threads_left_;
  done_.notify_one();
}

}  // namespace model
