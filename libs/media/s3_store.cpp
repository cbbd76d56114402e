#include "libs/media/s3_store.h"

#include <utility>

#include "libs/base/str_cat.h"

namespace media {
namespace {

constexpr std::string_view kPathCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";  // sent and signed as they are
constexpr std::string_view kRegion = "region=";

absl::Status BadUrl(std::string_view what) {
  return absl::InvalidArgumentError(
      base::StrCat("media store: ", what, "; want https://host/bucket or https://host/bucket?region=name"));
}

absl::StatusOr<internal::AwsCredentials> ReadCredentials(const std::string& path) {
  if (path.empty()) return absl::InvalidArgumentError("media store: a bucket wants --media-store-credentials-file");
  const absl::StatusOr<crypto::Secret> file = crypto::Secret::FromFile(path);
  if (!file.ok()) return file.status();
  const std::string_view text = file->Reveal();  // Reveal: to part its two lines
  const std::size_t end = text.find('\n');
  if (end == 0 || end == std::string_view::npos || end + 1 == text.size() ||
      text.find('\n', end + 1) != std::string_view::npos) {
    return absl::InvalidArgumentError(base::StrCat(path, ": want two lines, access key id and secret access key"));
  }
  return internal::AwsCredentials{std::string(text.substr(0, end)), crypto::Secret(std::string(text.substr(end + 1)))};
}

}  // namespace

absl::StatusOr<std::unique_ptr<S3Store>> S3Store::Open(const S3StoreOptions& options, std::string_view service,
                                                       telemetry::Registry& metrics) {
  std::unique_ptr<S3Store> store(new S3Store());
  absl::StatusOr<http::Url> url = http::ParseUrl(options.url);
  if (!url.ok()) return BadUrl(std::string(url.status().message()));
  store->endpoint_ = *std::move(url);
  std::string& path = store->endpoint_.target;
  if (const std::size_t query = path.find('?'); query != std::string::npos) {
    const std::string parameter = path.substr(query + 1);
    if (!parameter.starts_with(kRegion) || parameter.size() == kRegion.size()) return BadUrl("an unknown parameter");
    store->region_ = parameter.substr(kRegion.size());
    path.resize(query);
  }
  while (path.ends_with('/')) path.pop_back();
  if (path.empty() || path.find("//") != std::string::npos) return BadUrl("the URL names no bucket");
  if (path.find_first_not_of(kPathCharacters) != std::string::npos) return BadUrl("a character that needs an escape");
  absl::StatusOr<internal::AwsCredentials> credentials = ReadCredentials(options.credentials_file);
  if (!credentials.ok()) return credentials.status();
  store->credentials_ = *std::move(credentials);
  http::ClientOptions client;
  client.response_bytes_max = options.bytes_max;
  client.ca_file = options.ca_file;
  absl::StatusOr<std::unique_ptr<http::Client>> created = http::Client::Create(client, service, metrics);
  if (!created.ok()) return created.status();
  store->client_ = *std::move(created);
  return store;
}

absl::Status S3Store::Put(const StoreKey& key, std::string_view bytes) {
  const http::ClientResult result = Call("PUT", key, std::string(bytes));
  if (!result.ok) return result.failure.status;
  if (result.response.status == 200) return absl::OkStatus();
  return Refused("PUT", result.response.status);
}

absl::Status S3Store::Refused(std::string_view method, int status) const {
  const std::string what =
      base::StrCat("media store: ", endpoint_.host, " answers a ", method, " with HTTP status ", status);
  if (status == 403) {
    return absl::PermissionDeniedError(
        base::StrCat(what, "; check --media-store-credentials-file, the bucket's rights and this machine's clock"));
  }
  if (status == 404)
    return absl::FailedPreconditionError(base::StrCat(what, "; does the bucket of --media-store exist?"));
  return status >= 500 || status == 429 ? absl::UnavailableError(what) : absl::FailedPreconditionError(what);
}

absl::StatusOr<std::string> S3Store::Get(const StoreKey& key) {
  http::ClientResult result = Call("GET", key, "");
  if (!result.ok) return result.failure.status;
  if (result.response.status == 404) return absl::NotFoundError("media store: no such file");
  if (result.response.status != 200) {
    return absl::UnavailableError(
        base::StrCat("media store: ", endpoint_.host, " answers a GET with HTTP status ", result.response.status));
  }
  return std::move(result.response.body);
}

absl::Status S3Store::Delete(const StoreKey& key) {
  const http::ClientResult result = Call("DELETE", key, "");
  if (!result.ok) return result.failure.status;
  const int status = result.response.status;
  return status == 200 || status == 204 || status == 404 ? absl::OkStatus() : Refused("DELETE", status);
}

http::ClientResult S3Store::Call(std::string_view method, const StoreKey& key, std::string body) {
  const absl::StatusOr<std::string> path = key.Path();
  if (!path.ok()) return {.failure = {.status = path.status()}};
  http::Url url = endpoint_;
  url.target = base::StrCat(endpoint_.target, "/", *path);
  http::ClientRequest request;
  request.method = std::string(method);
  request.url = url.Text();
  request.headers = internal::SignedHeaders({.method = method,
                                             .host = url.authority,
                                             .path = url.target,
                                             .body_digest = crypto::Sha256(body),
                                             .region = region_,
                                             .wall_ms = base::Clock::Real().WallMs()},
                                            credentials_);
  request.body = std::move(body);
  request.deadline = base::Clock::Real().Now() + kCallTimeout;
  return client_->SendAndWait(std::move(request));
}

}  // namespace media
