#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"

namespace media {

// A turn has so many files at most.
inline constexpr std::size_t kFilesPerTurnMax = 8;

// What a file is known by: the turn that brought it, and its place among that turn's files. So every record that names
// a turn (`turns`, `replies`, the history) names its files too: who has it finds them, also where the URL has expired
// since, and whoever deletes the turn can delete them. A file that two users sent is two: one is deleted without the
// other.
struct StoreKey {
  std::string tenant;
  std::string turn_id;    // 32 bytes
  std::size_t index = 0;  // below kFilesPerTurnMax

  bool operator==(const StoreKey&) const = default;

  // t_<tenant>/<first two hex digits>/<turn id in hex>-<index>. InvalidArgument: a tenant that cannot stand in a path.
  absl::StatusOr<std::string> Path() const;
};

// The claim check of attachments, so that records carry the name of a turn and never the file. Files go by themselves:
// after a time, and the oldest first when there are too many.
//
// Threading: safe from any thread; calls block on I/O.
class Store {
 public:
  virtual ~Store() = default;

  // Keeps `bytes`, in place of what is there under that name.
  // ResourceExhausted: larger than the whole store may be. Others: cannot be written, with the option to change.
  virtual absl::Status Put(const StoreKey& key, std::string_view bytes) = 0;
  // NotFound: never there, or gone by now.
  virtual absl::StatusOr<std::string> Get(const StoreKey& key) = 0;
  // OK also where there is none.
  virtual absl::Status Delete(const StoreKey& key) = 0;
  // Removes what is too old. Called now and then by whoever has the store.
  virtual void Expire() = 0;
};

}  // namespace media
