// The collectives between threads of one process: each rank's thread runs its own emulated device, and they meet here.
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "kernels/primitives/emulator/emulator.h"
#include "kernels/primitives/gpu/aligned.h"
#include "kernels/primitives/gpu/collectives.h"

namespace kernels::gpu {
namespace {

// A rank that never comes would hang a card's group for ever; here it ends the test.
constexpr std::chrono::seconds kMeetWithin{60};
// How often a waiting rank looks whether the device was lost.
constexpr std::chrono::milliseconds kLookAfter{20};

// Where the ranks of one group meet.
class Group {
 public:
  explicit Group(std::int32_t ranks) : sent_(static_cast<std::size_t>(ranks)) {}

  // Returns when all ranks are here; REQUIRES that every rank calls it the same number of times. Failed: the device was
  // lost meanwhile, and a rank that noticed elsewhere will not come.
  LaunchResult Meet() {
    constexpr LaunchResult kBroken = LaunchResult::Failed("a collective: the emulated device was lost");
    std::unique_lock lock(mutex_);
    if (broken_) return kBroken;
    const std::uint64_t meeting = meeting_;
    if (++arrived_ == sent_.size()) {
      arrived_ = 0;
      ++meeting_;
      lock.unlock();
      all_here_.notify_all();
      return LaunchResult::Ok();
    }
    const auto until = std::chrono::steady_clock::now() + kMeetWithin;
    while (!all_here_.wait_for(lock, kLookAfter, [&] { return meeting_ != meeting || broken_; })) {
      broken_ = emulator::DeviceLost();
      if (broken_) break;
      if (std::chrono::steady_clock::now() > until) {
        emulator::Fail("a collective: only %zu of %zu ranks came", arrived_, sent_.size());
      }
    }
    if (meeting_ != meeting) return LaunchResult::Ok();
    all_here_.notify_all();
    return kBroken;
  }

  // The second meeting of a collective, for which every rank comes that was at the first.
  void MeetAgain() {
    std::unique_lock lock(mutex_);
    if (++left_ == sent_.size()) {
      left_ = 0;
      ++leaving_;
      all_here_.notify_all();
      return;
    }
    const std::uint64_t leaving = leaving_;
    all_here_.wait(lock, [&] { return leaving_ != leaving; });
  }

  std::vector<const void*>& sent() { return sent_; }  // each rank writes its own before a meeting, reads all after it

 private:
  std::mutex mutex_;
  std::condition_variable all_here_;
  std::size_t arrived_ = 0;        // protected by mutex_
  std::uint64_t meeting_ = 0;      // protected by mutex_
  std::size_t left_ = 0;           // protected by mutex_
  std::uint64_t leaving_ = 0;      // protected by mutex_
  bool broken_ = false;            // protected by mutex_
  std::vector<const void*> sent_;  // [ranks]
};

struct Groups {
  std::mutex mutex;
  std::uint64_t next = 1;                                         // protected by mutex
  std::unordered_map<std::uint64_t, std::weak_ptr<Group>> by_id;  // protected by mutex
};
Groups& AllGroups() {
  static auto* groups = new Groups;
  return *groups;
}

}  // namespace

class Communicator {
 public:
  std::shared_ptr<Group> group;
  std::size_t rank;
};

LaunchResult MakeCommunicatorId(CommunicatorId* id) {
  const std::lock_guard lock(AllGroups().mutex);
  *id = {};
  std::memcpy(id->bytes, &AllGroups().next, sizeof(AllGroups().next));
  ++AllGroups().next;
  return LaunchResult::Ok();
}

LaunchResult MakeCommunicator(const CommunicatorId& id, std::int32_t rank, std::int32_t ranks, Communicator** made) {
  GPU_REQUIRE(0 <= rank && rank < ranks && ranks <= kRanksMax);
  std::uint64_t key;
  std::memcpy(&key, id.bytes, sizeof(key));
  std::shared_ptr<Group> group;
  {
    const std::lock_guard lock(AllGroups().mutex);
    std::weak_ptr<Group>& known = AllGroups().by_id[key];
    group = known.lock();
    if (group == nullptr) known = group = std::make_shared<Group>(ranks);
  }
  GPU_REQUIRE(group->sent().size() == static_cast<std::size_t>(ranks));
  GPU_RETURN_IF_ERROR(group->Meet());
  *made = new Communicator{std::move(group), static_cast<std::size_t>(rank)};
  return LaunchResult::Ok();
}

void DestroyCommunicator(Communicator* communicator) { delete communicator; }

LaunchResult AllReduceSum(Communicator* communicator, float* values, std::int64_t count, Stream stream) {
  GPU_REQUIRE(communicator != nullptr && count >= 0);
  GPU_REQUIRE(count == 0 || (values != nullptr && Aligned(values, 4)));
  return emulator::Submit(stream, [communicator, values, count] {
    Group& group = *communicator->group;
    group.sent()[communicator->rank] = values;
    GPU_RETURN_IF_ERROR(group.Meet());
    std::vector<float> sums(static_cast<std::size_t>(count), 0.0F);
    for (const void* sent : group.sent()) {
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<const float*>(sent)[i];
    }
    group.MeetAgain();  // everyone has read
    if (count > 0) std::memcpy(values, sums.data(), sums.size() * sizeof(float));
    return LaunchResult::Ok();
  });
}

LaunchResult AllGather(Communicator* communicator, const void* sent, void* received, std::int64_t bytes,
                       Stream stream) {
  GPU_REQUIRE(communicator != nullptr && bytes >= 0);
  GPU_REQUIRE(bytes == 0 || (sent != nullptr && received != nullptr));
  return emulator::Submit(stream, [communicator, sent, received, bytes] {
    Group& group = *communicator->group;
    const auto size = static_cast<std::size_t>(bytes);
    group.sent()[communicator->rank] = sent;
    GPU_RETURN_IF_ERROR(group.Meet());
    for (std::size_t rank = 0; rank < group.sent().size(); ++rank) {
      std::memmove(static_cast<std::byte*>(received) + rank * size, group.sent()[rank], size);
    }
    group.MeetAgain();  // everyone has read
    return LaunchResult::Ok();
  });
}

}  // namespace kernels::gpu
