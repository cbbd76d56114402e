#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/base/clock.h"
#include "libs/crypto/digest.h"

namespace media {

// What a file is known by: its content, within its tenant. Equal files of two tenants are two.
struct StoreKey {
  std::string tenant;
  crypto::Sha256Digest digest{};
};

// The claim check of attachments: files by their SHA-256, so that records carry a name of 32 bytes and never the file.
// Files go by themselves: after a time, and the oldest first when there are too many.
//
// Threading: safe from any thread; calls block on I/O.
class Store {
 public:
  virtual ~Store() = default;

  // Keeps `bytes`, whose digest is `key.digest`. A file that is there already stays, as new as if it had come now.
  // ResourceExhausted: larger than the whole store may be. Others: cannot be written, with the option to change.
  virtual absl::Status Put(const StoreKey& key, std::string_view bytes) = 0;
  // Its bytes, checked against the digest. NotFound: never there, or gone by now.
  virtual absl::StatusOr<std::string> Get(const StoreKey& key) = 0;
  // Removes what is too old. Called now and then by whoever has the store.
  virtual void Expire() = 0;
};

}  // namespace media
