#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "libs/media/store.h"

namespace media {

struct FolderStoreOptions {
  std::string folder;
  std::int64_t bytes_max = std::int64_t{1} << 30;  // all files together, each counted in whole blocks of 4 KiB
  base::Duration keep = std::chrono::hours(24);    // since the last Put
};

// A folder: <folder>/<StoreKey::Path()>, 0600. A file appears whole under its name, by sync and rename; so workers may
// share the folder (a volume mounted by all), a power cut leaves no half of one, and a crash at most a file named
// tmp-*, which expires like the others.
//
// Bound: the sum of sizes is counted by looking through the folder at the first Put, and again at each Expire and when
//        it has grown past `bytes_max`; what other processes put meanwhile is not seen until then.
class FolderStore final : public Store {
 public:
  // FailedPrecondition when `folder` is there and is no folder that can be written; it is made by the first Put.
  static absl::StatusOr<std::unique_ptr<FolderStore>> Open(const FolderStoreOptions& options);

  absl::Status Put(const StoreKey& key, std::string_view bytes) override;
  absl::StatusOr<std::string> Get(const StoreKey& key) override;
  absl::Status Delete(const StoreKey& key) override;
  void Expire() override;

 private:
  explicit FolderStore(const FolderStoreOptions& options) : options_(options) {}

  absl::StatusOr<std::string> PathOf(const StoreKey& key) const;
  absl::Status Write(const std::string& path, std::string_view bytes);
  // Counts anew, removes what is too old, and where `room` more do not fit, the oldest.   REQUIRES: mutex_
  void MakeRoom(std::int64_t room);

  const FolderStoreOptions options_;
  std::atomic<std::uint64_t> writes_{0};
  std::mutex mutex_;
  std::int64_t bytes_ = -1;  // of all files; -1: not counted yet.   protected by mutex_
};

}  // namespace media
