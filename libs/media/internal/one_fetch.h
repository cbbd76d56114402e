#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "libs/crypto/digest.h"
#include "libs/http/client.h"
#include "libs/http/url.h"
#include "libs/media/fetcher.h"
#include "libs/media/internal/source_policy.h"
#include "libs/media/media_kind.h"

namespace media::internal {

// What a fetch needs from its surroundings.
struct FetchTools {
  // Sends and waits for the answer, at most until the request's deadline or until everything stops. kPublic: by a
  // client that connects to public addresses alone.
  std::function<http::ClientResult(Route route, http::ClientRequest request)> send;
  // False when everything stops in the meantime.
  std::function<bool(base::Duration duration)> wait;
  Store* store = nullptr;
  const FetcherOptions* options = nullptr;
};

// One attachment from its webhook to the store, step by step.
// Threading: one thread, which may block.
class OneFetch {
 public:
  OneFetch(const FetchTools& tools, const FetchRequest& request);

  Fetched Run();

 private:
  // Asks the Graph API for the URL of a media id; what it says of size and digest counts where the webhook said
  // nothing. Nullopt: done, `url` is set.
  std::optional<Fetched> LookUp(std::string* url);
  Fetched Download(const std::string& url);
  // Into the store, where Judge says that it may be there.
  Fetched Keep(std::string_view bytes) const;
  Fetched Judge(std::string_view bytes) const;  // kStored: they are what they should be
  // With a few retries of what may pass.
  http::ClientResult Send(Route route, http::ClientRequest request) const;
  http::ClientRequest Get(const http::Url& url, bool with_token, std::int64_t bytes_max) const;

  const FetchTools& tools_;
  const FetchRequest& request_;
  const account::Account& account_;
  const StoreKey key_;
  const Kind kind_;
  const std::int64_t bytes_max_;
  std::string announced_type_;
  std::optional<crypto::Sha256Digest> announced_digest_;
};

}  // namespace media::internal
