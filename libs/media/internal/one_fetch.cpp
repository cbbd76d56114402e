#include "libs/media/internal/one_fetch.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "libs/base/backoff.h"
#include "libs/base/hex.h"
#include "libs/base/str_cat.h"
#include "libs/crypto/base64.h"
#include "libs/json/value.h"
#include "libs/media/image_size.h"
#include "libs/media/media_type.h"

namespace media::internal {
namespace {

constexpr int kRedirectsMax = 2;
constexpr int kLookUpsMax = 2;  // the second for a URL that has expired
constexpr int kTriesMax = 3;
constexpr std::int64_t kLookUpBytesMax = 64 << 10;
constexpr std::size_t kIdBytesMax = 256;
constexpr base::Duration kRetryInitial = std::chrono::milliseconds(200);
constexpr base::Duration kRetryMax = std::chrono::seconds(2);

Fetched Failed(Result result, std::string detail) { return {.result = result, .detail = std::move(detail)}; }

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool MayPass(const http::ClientResult& result) {
  if (result.ok) return result.response.status >= 500 || result.response.status == 429;
  return result.failure.status.code() == absl::StatusCode::kUnavailable;
}

// Whether another URL of the same file may do better. The one in a webhook is a shortcut alone: whatever is wrong with
// it or its host, the Graph API may name another.
bool MayBeElsewhere(Result result, bool is_webhooks) {
  return result == Result::kGone || (is_webhooks && (result == Result::kRefused || result == Result::kUnavailable));
}

Fetched FailureOf(const http::ClientResult& result) {
  if (result.ok) {
    const int status = result.response.status;
    const bool is_gone = status == 401 || status == 403 || status == 404 || status == 410;
    return Failed(is_gone ? Result::kGone : Result::kUnavailable, base::StrCat("HTTP status ", status));
  }
  const std::string detail(result.failure.status.message());
  switch (result.failure.status.code()) {
    case absl::StatusCode::kOutOfRange:
      return Failed(Result::kTooLarge, detail);
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:  // its certificate is not that of the host
      return Failed(Result::kRefused, detail);
    case absl::StatusCode::kDeadlineExceeded:
      return Failed(Result::kLate, detail);
    default:
      return Failed(Result::kUnavailable, detail);
  }
}

std::optional<crypto::Sha256Digest> DigestFrom(std::string_view bytes) {
  crypto::Sha256Digest digest{};
  if (bytes.size() != digest.size()) return std::nullopt;
  std::ranges::transform(bytes, digest.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return digest;
}

// An id goes into a path: whatever could end a segment is none of Meta's.
bool IsPathSegment(std::string_view id) {
  constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  return !id.empty() && id.size() <= kIdBytesMax && id.find_first_not_of(kCharacters) == std::string_view::npos;
}

}  // namespace

OneFetch::OneFetch(const FetchTools& tools, const FetchRequest& request)
    : tools_(tools),
      request_(request),
      account_(*request.account),
      key_(KeyOf(request)),
      kind_(KindOf(request.attachment.type())),
      bytes_max_(std::min(BytesMax(account_.channel, kind_), tools.options->bytes_max)),
      announced_type_(request.attachment.mime_type()),
      announced_digest_(DigestFrom(request.attachment.sha256())) {}

Fetched OneFetch::Run() {
  if (const absl::StatusOr<std::string> kept = tools_.store->Get(key_); kept.ok()) {  // of an earlier run of the turn
    Fetched fetched = Judge(*kept);
    fetched.was_kept = fetched.result == Result::kStored;
    if (fetched.was_kept) return fetched;
  }
  const bool has_id = account_.channel == mesh::bus::v1::CHANNEL_WHATSAPP && IsPathSegment(request_.attachment.id());
  std::string url = request_.attachment.url();
  for (int look_ups = 0;;) {
    if (url.empty()) {
      if (!has_id) return Failed(Result::kGone, "neither a URL nor a media id");
      ++look_ups;
      if (std::optional<Fetched> failed = LookUp(&url)) return *std::move(failed);
    }
    Fetched fetched = Download(url);
    if (!has_id || look_ups == kLookUpsMax || !MayBeElsewhere(fetched.result, /*is_webhooks=*/look_ups == 0)) {
      return fetched;
    }
    url.clear();
  }
}

std::optional<Fetched> OneFetch::LookUp(std::string* url) {
  const absl::StatusOr<http::Url> graph =
      http::ParseUrl(base::StrCat(account_.graph_base_url, "/", account_.graph_version, "/", request_.attachment.id(),
                                  "?phone_number_id=", account_.account_id));
  if (!graph.ok()) return Failed(Result::kRefused, std::string(graph.status().message()));
  const http::ClientResult result = Send(Route::kGraph, Get(*graph, /*with_token=*/true, kLookUpBytesMax));
  if (result.ok && result.response.status == 400) return Failed(Result::kGone, "the media id is unknown");
  if (result.ok && (result.response.status == 401 || result.response.status == 403)) {
    return Failed(Result::kUnavailable, "the Graph API refuses the account's access token");
  }
  if (!result.ok || result.response.status != 200) return FailureOf(result);
  const absl::StatusOr<json::Document> document = json::Document::Parse(result.response.body);
  if (!document.ok()) return Failed(Result::kUnavailable, "the media id's answer is no JSON");
  const json::Value root = document->root();
  if (root.Find("file_size").AsInt64Lenient().value_or(0) > bytes_max_) {
    return Failed(Result::kTooLarge, "the Graph API says so");
  }
  if (announced_type_.empty()) announced_type_ = root.Find("mime_type").AsString().value_or("");
  if (!announced_digest_) {
    const std::string_view text = root.Find("sha256").AsString().value_or("");
    announced_digest_ = DigestFrom(base::FromHex(text).value_or(""));
    if (!announced_digest_) announced_digest_ = DigestFrom(crypto::Base64Decode(text).value_or(""));
  }
  *url = root.Find("url").AsString().value_or("");
  if (url->empty()) return Failed(Result::kGone, "the media id has no URL");
  return std::nullopt;
}

Fetched OneFetch::Download(const std::string& text) {
  absl::StatusOr<http::Url> parsed = http::ParseUrl(text);
  if (!parsed.ok()) return Failed(Result::kRefused, std::string(parsed.status().message()));
  const http::Url first = *parsed;
  http::Url url = first;
  for (int redirects = 0; redirects <= kRedirectsMax; ++redirects) {
    const Route route = RouteOf(url, account_, tools_.options->hosts_more);
    if (route == Route::kRefused) return Failed(Result::kRefused, base::StrCat("no media host: ", url.host));
    // The token stays with the host that the Graph API, or the signed webhook, named.
    const bool with_token = account_.channel == mesh::bus::v1::CHANNEL_WHATSAPP && SameOrigin(url, first);
    http::ClientResult result = Send(route, Get(url, with_token, bytes_max_));
    if (result.ok && result.response.status == 200) {
      const std::string_view coding = result.response.Header("content-encoding");
      if (!coding.empty() && coding != "identity") {
        return Failed(Result::kWrongType, "it is compressed, which was not asked for");
      }
      return Keep(result.response.body);
    }
    if (!result.ok || !IsRedirect(result.response.status)) return FailureOf(result);
    std::optional<http::Url> next = RedirectTarget(url, result.response.Header("location"));
    if (!next) return Failed(Result::kRefused, "a redirect to no URL");
    url = *std::move(next);
  }
  return Failed(Result::kRefused, "too many redirects");
}

Fetched OneFetch::Keep(std::string_view bytes) const {
  Fetched fetched = Judge(bytes);
  if (fetched.result != Result::kStored) return fetched;
  if (const absl::Status status = tools_.store->Put(key_, bytes); !status.ok()) {
    return Failed(Result::kNotStored, std::string(status.message()));
  }
  return fetched;
}

Fetched OneFetch::Judge(std::string_view bytes) const {
  if (bytes.empty()) return Failed(Result::kWrongType, "it is empty");
  if (static_cast<std::int64_t>(bytes.size()) > bytes_max_)
    return Failed(Result::kTooLarge, "more than is allowed now");
  Fetched fetched{.result = Result::kStored, .bytes = static_cast<std::int64_t>(bytes.size())};
  if (announced_digest_ && *announced_digest_ != crypto::Sha256(bytes)) {
    return Failed(Result::kWrongHash, "its SHA-256 is not the announced one");
  }
  fetched.type = SniffType(bytes);
  if (!TypeFits(kind_, announced_type_, fetched.type)) {
    return Failed(Result::kWrongType, base::StrCat("its bytes are ", fetched.type.empty() ? "unknown" : fetched.type));
  }
  if (TellsImageSize(fetched.type)) {
    const std::optional<ImageSize> size = ReadImageSize(fetched.type, bytes);
    if (!size) return Failed(Result::kWrongType, "an image without a size");
    if (size->pixels() > static_cast<std::uint64_t>(tools_.options->pixels_max)) {
      return Failed(Result::kTooLarge, base::StrCat(size->width, " x ", size->height, " pixels"));
    }
  }
  return fetched;
}

http::ClientResult OneFetch::Send(Route route, http::ClientRequest request) const {
  for (int tries = 1;; ++tries) {
    http::ClientResult result = tools_.send(route, request);
    if (!MayPass(result) || tries == kTriesMax) return result;
    const base::Duration delay = base::BackoffDelay(tries, kRetryInitial, kRetryMax, /*seed=*/0);
    if (base::Clock::Real().Now() + delay >= request_.deadline || !tools_.wait(delay)) return result;
  }
}

http::ClientRequest OneFetch::Get(const http::Url& url, bool with_token, std::int64_t bytes_max) const {
  http::ClientRequest request;
  request.method = "GET";
  request.url = url.Text();
  request.headers = {{"Accept", "*/*"}, {"Accept-Encoding", "identity"}, {"User-Agent", "musemesh"}};
  if (with_token) {
    request.headers.emplace_back("Authorization",
                                 base::StrCat("Bearer ", account_.access_token.Reveal()));  // Reveal: that header
  }
  request.response_bytes_max = bytes_max;
  request.deadline = request_.deadline;
  return request;
}

}  // namespace media::internal
