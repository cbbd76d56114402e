#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/account/account_book.h"
#include "libs/base/clock.h"
#include "libs/media/result.h"
#include "libs/media/store.h"
#include "libs/telemetry/metrics.h"
#include "proto/bus/v1/bus.pb.h"

namespace media {

struct FetcherOptions {
  std::int32_t fetches_max = 4;              // at once; each holds one file in memory
  std::int32_t queue_max = 256;              // waiting; more are kBusy at once
  std::int64_t bytes_max = 25 << 20;         // of a file, within what its channel allows
  std::int64_t pixels_max = 25'000'000;      // of an image, by its header
  std::vector<std::string> hosts_more = {};  // beside Meta's media hosts: names, or .name for all below it
  std::string ca_file = {};                  // PEM; empty: the system's
};

// What has become of a fetch's turn meanwhile; set by who asked, read by the pool.
enum class Interest {
  kWanted,
  kOver,       // nobody waits for it any more: not begun, where it has not begun yet
  kTakenBack,  // nor may it stay in the store
};

struct FetchRequest {
  std::shared_ptr<const account::AccountBook> book = {};  // keeps `account` alive
  const account::Account* account = nullptr;
  mesh::bus::v1::Attachment attachment = {};                   // of a kind that has a file
  std::string turn_id = {};                                    // that it came with: under its name it is stored,
  std::size_t index = 0;                                       // as this one of its files
  base::MonotonicTime deadline = {};                           // of everything, waiting in the queue included
  std::shared_ptr<const std::atomic<Interest>> interest = {};  // unset: wanted
};

// Under which the file is stored.
inline StoreKey KeyOf(const FetchRequest& request) {
  return {.tenant = request.account->tenant, .turn_id = request.turn_id, .index = request.index};
}

// Brings attachments into the store, by a fixed pool of threads. What a webhook names is fetched from the channel's
// media hosts alone, and the operator's, over https, from public addresses, checked again at each of at most two
// redirects; the answer is never decompressed; a file is kept only when size, type and digest are what they should be.
// WhatsApp's URLs live five minutes: the media id is asked for one, and once more when it has expired. Nothing that the
// other side sends costs more than fetches_max files in memory (twice that while one of unknown length grows) and the
// time until the deadline.
//
// Development accounts may also fetch from their own graph_base_url, whatever its address, over http.
//
// What is in the store already, of an earlier run of the turn, is not fetched again: a URL may have expired since.
//
// Threading: all from any thread, never block; the callback runs once, on a thread of the pool or, when the queue is
//            full, on the caller's.
// Lifetime:  the destructor stops what runs and calls back what waits with kUnavailable; of the deletions it does what
//            can be done in a second, and says how many are left.
// Metrics:   <service>_media_fetches_total{channel,result}, _media_fetch_seconds, _media_bytes_total,
//            _media_fetches_waiting.
class Fetcher {
 public:
  // InvalidArgument: `hosts_more` has what is no host. FailedPrecondition when ca_file cannot be used.
  static absl::StatusOr<std::unique_ptr<Fetcher>> Create(const FetcherOptions& options, std::unique_ptr<Store> store,
                                                         std::string_view service, telemetry::Registry& metrics);
  virtual ~Fetcher() = default;
  virtual void Fetch(FetchRequest request, std::function<void(Fetched)> on_done) = 0;
  // Whether Fetch would take one more now.
  virtual bool has_room() const = 0;
  // Takes the turn's files out of the store, soon; also what is being fetched for it just now. What waits to be fetched
  // is not known here: its interest says kOver or kTakenBack before this is called, or it comes back.
  // False when too many deletions wait: to be asked again. Best effort: what a store does not delete goes by age.
  [[nodiscard]] virtual bool Delete(std::string tenant, std::string turn_id) = 0;
  // The same of one file alone, whatever is being fetched.
  [[nodiscard]] virtual bool DeleteFile(StoreKey key) = 0;
};

}  // namespace media
